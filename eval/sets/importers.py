"""Import test sets of other formats as samples. docs/evaluation.md shows each format."""

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from eval.answers.extract import extract
from eval.answers.normalise import normalise
from eval.arc.samples import arc_samples
from eval.arc.tasks import load_tasks
from eval.scorers import DEFAULT
from eval.scorers.choice import LETTERS
from podium.core.errors import UsageError
from podium.core.files import read_jsonl
from podium.core.records import GROUPS, Sample, parse_record

Row = Mapping[str, Any]


def import_set(
    path: Path,
    name: str,
    layout: str,
    *,
    solutions: Path | None = None,
    scorer: str | None = None,
    limit: int | None = None,
) -> tuple[list[Sample], str]:
    """The items of a file, and their scorer: `scorer` if given, else the default of the format.

    `limit` keeps the first lines, or the first tasks of ARC. `solutions` and the scorers arc_grid and arc_program are
    for ARC only; the scorer decides whether the prompts ask for a grid or for a program.

    Raises:
        UsageError: unknown format, no items, or a malformed line or task; the message has file, line and reason.
    """
    chosen = scorer or SCORERS.get(layout, DEFAULT)
    if layout != "arc":
        if solutions:
            raise UsageError(
                f"--solutions {solutions}: format {layout!r} takes none; leave them out, or use format arc"
            )
        return import_lines(path, name, layout, limit), chosen
    if chosen not in ("arc_grid", "arc_program"):
        raise UsageError(f"scorer {chosen!r}: format arc needs arc_grid or arc_program")
    tasks = dict(islice(load_tasks(path, solutions).items(), limit))
    return arc_samples(tasks, "arc_grid" if chosen == "arc_grid" else "arc_program"), chosen


def import_lines(path: Path, name: str, layout: str, limit: int | None = None) -> list[Sample]:
    """The samples in a JSONL file, at most `limit`; ids are `name-00001`, ... by line number unless the file has ids.

    Raises:
        UsageError: unknown format, no lines, a repeated id, or a malformed line; the message has file, line and reason.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"format {layout!r}, must be one of {', '.join(FORMATS)}")
    samples: dict[str, Sample] = {}
    for number, row in islice(read_jsonl(path), limit):
        where = f"{path}:{number}"
        if not isinstance(row, dict):
            raise UsageError(f"{where}: holds {type(row).__name__}, must be an object")
        try:
            sample = parse_record(Sample, {"id": f"{name}-{number:05}", **LAYOUTS[layout](row)}, where)
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from None
        if sample.id in samples:
            raise UsageError(f"{where}: id {sample.id!r} appears twice; ids must be unique")
        samples[sample.id] = sample
    if not samples:
        raise UsageError(f"{path} holds no items; an evalset needs at least one")
    return list(samples.values())


def gsm8k(row: Row) -> dict[str, Any]:
    """{"question", "answer"}: the answer ends in `#### 72`; the number of lines before it sets the difficulty."""
    answer = _text(row, "answer")
    found = extract(answer)
    if found is None or found.rule != "hash marks" or not found.answer:
        raise ValueError("the answer has no final line '#### N'")
    n_lines = len(answer.strip().split("\n")) - 1
    difficulty = "easy" if n_lines <= 2 else "medium" if n_lines <= 4 else "hard"
    return {
        "prompt": _text(row, "question"),
        "expected_answer": normalise(found.answer),
        "section": "core",
        "category": "gsm8k",
        "difficulty": difficulty,
    }


def prompt_response(row: Row) -> dict[str, Any]:
    """{"prompt", "response"}: the answer is extracted from the response; other fields of a sample may be given too."""
    found = extract(_text(row, "response"))
    if found is None or not found.answer:
        raise ValueError("the response holds no answer")
    defaults = {"section": "core", "category": "imported", "difficulty": "medium"}
    given = {key: row[key] for key in Sample.model_fields if key in row}
    return {**defaults, **given, "prompt": _text(row, "prompt"), "expected_answer": found.answer}


def multiple_choice(row: Row) -> dict[str, Any]:
    """{"question", "choices", "answer"}: two to five choices; the answer is a letter, an index from 0, or a choice.

    The format of AI2 ARC and OpenBookQA is read too: {"question", "choices": {"text", "label"}, "answerKey"}.
    """
    choices, labels = _choices(row)
    place = _place(row["answer"] if "answer" in row else row.get("answerKey"), choices, labels)
    lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False)]
    defaults = {"section": "core", "category": "multiple-choice", "difficulty": "medium"}
    given = {key: row[key] for key in ("id", *GROUPS) if key in row}
    return {
        **defaults,
        **given,
        "prompt": "\n".join([_text(row, "question"), *lines, "Answer with the letter of the right choice."]),
        "expected_answer": LETTERS[place],
        "accepted": (choices[place],),
    }


LAYOUTS: dict[str, Callable[[Row], dict[str, Any]]] = {
    "gsm8k": gsm8k,
    "prompt-response": prompt_response,
    "multiple-choice": multiple_choice,
}
FORMATS = (*LAYOUTS, "arc")
SCORERS = {"multiple-choice": "choice", "arc": "arc_grid"}  # by format; `answer` for the others


def _choices(row: Row) -> tuple[list[str], list[str]]:
    """The choices and their labels; the labels are A, B, ... if none are given."""
    given = row.get("choices")
    choices, labels = (given.get("text"), given.get("label")) if isinstance(given, dict) else (given, None)
    if not isinstance(choices, list) or not all(isinstance(choice, str) and choice.strip() for choice in choices):
        raise ValueError(f"'choices' is {choices!r}, must be a list of non-empty texts")
    if not 2 <= len(choices) <= len(LETTERS):
        raise ValueError(f"'choices' has {len(choices)} texts, must have 2 to {len(LETTERS)}")
    choices = [choice.strip() for choice in choices]
    if len({normalise(choice) for choice in choices}) < len(choices):
        raise ValueError("'choices' holds the same text twice; each must be different")
    labels = list(LETTERS[: len(choices)]) if labels is None else labels
    if not isinstance(labels, list) or len(labels) != len(choices):
        raise ValueError(f"'label' is {labels!r}, must be a list of {len(choices)}, one per choice")
    return choices, [str(label) for label in labels]


def _place(answer: Any, choices: list[str], labels: list[str]) -> int:
    if isinstance(answer, str):
        for known in (labels, choices):
            if answer.strip() in known:
                return known.index(answer.strip())
    elif isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(choices):
        return answer
    raise ValueError(f"the answer is {answer!r}, must be one of {', '.join(labels)}, an index from 0, or a choice")


def _text(row: Row, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key!r} is {value!r}, must be a non-empty text")
    return value.strip()
