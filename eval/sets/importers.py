"""Import test sets of other formats as samples. docs/data.md and docs/evaluation.md show each format."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from eval.answers.extract import extract
from eval.answers.normalise import normalise
from eval.arc.samples import arc_samples
from eval.arc.tasks import load_tasks
from eval.scorers import DEFAULT
from eval.scorers.choice import LETTERS
from podium.core.bad_rows import BadRows
from podium.core.conversations import last_answer, text_of
from podium.core.errors import UsageError
from podium.core.formats import AUTO, Format, choose_format, read_row
from podium.core.formats import FORMATS as ROW_FORMATS
from podium.core.gold import bare_answer, fault_of_gold
from podium.core.records import GROUPS, Sample, parse_record
from podium.core.sources import Source
from podium.core.tables import Row

Values = Mapping[str, Any]


@dataclass(frozen=True)
class ImportedSet:
    samples: list[Sample]
    scorer: str
    format: str  # the name of the format


def import_set(
    source: Source,
    name: str,
    format: str = AUTO,
    *,
    prompt_fields: Sequence[str] = (),
    response_field: str | None = None,
    solutions: Path | None = None,
    scorer: str | None = None,
    limit: int | None = None,
    bad: BadRows | None = None,
) -> ImportedSet:
    """The items of a file, their scorer and their format, for which `auto` takes the one that fits.

    The scorer is `scorer` if given, else the default of the format. `limit` keeps the first rows, or the first tasks of
    ARC. `solutions` and the scorers arc_grid and arc_program are for ARC only; the scorer decides whether the prompts
    ask for a grid or for a program. `bad` may skip malformed rows, but no tasks.

    Raises:
        UsageError: unknown format, no items, or a malformed row or task; the message has file, line and reason.
    """
    if format not in NAMES:
        raise UsageError(f"format {format!r}, must be one of {', '.join(NAMES)}")
    if format == ARC or (format == AUTO and solutions):
        return _import_arc(source, solutions, scorer or SCORERS[ARC], limit)
    if solutions:
        raise UsageError(f"--solutions {solutions}: format {format!r} takes none; leave them out, or use format arc")
    chosen, rows = choose_format(islice(source.rows(), limit), format, prompt_fields, response_field, FORMATS)
    samples = import_samples(rows, name, chosen, bad)
    return ImportedSet(samples, scorer or SCORERS.get(chosen.name, DEFAULT), chosen.name)


def import_samples(rows: Iterable[Row], name: str, format: Format, bad: BadRows | None = None) -> list[Sample]:
    """The rows as samples; ids are `name-00001`, ... by line number unless the rows have ids.

    Raises:
        UsageError: a repeated id or a malformed row, unless `bad` skips it; the message has file, line and reason.
    """
    ids: set[str] = set()

    def convert(row: Row) -> Sample:
        values = read_row(format, row, FORMATS)
        try:
            sample = parse_record(Sample, {"id": f"{name}-{row.number:05}", **_sample(format, row, values)}, row.where)
        except ValueError as error:
            raise UsageError(f"{row.where}: {error}") from None
        if sample.id in ids:
            raise UsageError(f"{row.where}: id {sample.id!r} appears twice; ids must be unique")
        ids.add(sample.id)
        return sample

    return list((bad or BadRows()).good(rows, convert))


def gold(response: str) -> str:
    """The expected answer in a response: what the scorers extract from it, without a label before it.

    Raises:
        ValueError: there is none, or only markup.
    """
    found = extract(response)
    answer = bare_answer(found.answer) if found else ""
    if not answer:
        raise ValueError("the response holds no answer")
    if fault := fault_of_gold(answer):
        raise ValueError(f"the answer found in the response is {answer!r}, which {fault}")
    return answer


def multiple_choice(row: Values) -> dict[str, Any]:
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


ARC = "arc"
MULTIPLE_CHOICE = Format(
    "multiple-choice", lambda row: {"question", "choices"} <= row.keys(), "question, choices, answer", multiple_choice
)
FORMATS = (MULTIPLE_CHOICE, *ROW_FORMATS)
NAMES = (AUTO, *(format.name for format in FORMATS), ARC)
SCORERS = {MULTIPLE_CHOICE.name: "choice", ARC: "arc_grid"}  # by format; `answer` for the others


def _import_arc(source: Source, solutions: Path | None, scorer: str, limit: int | None) -> ImportedSet:
    if scorer not in ("arc_grid", "arc_program"):
        raise UsageError(f"scorer {scorer!r}: format arc needs arc_grid or arc_program")
    (challenges,) = source.files()
    tasks = dict(islice(load_tasks(challenges, solutions).items(), limit))
    return ImportedSet(arc_samples(tasks, "arc_grid" if scorer == "arc_grid" else "arc_program"), scorer, ARC)


def _sample(format: Format, row: Row, values: dict[str, Any]) -> dict[str, Any]:
    """The values of a sample, from those of the row's record."""
    facts: dict[str, Any] = {"section": "core", "category": "imported", "difficulty": "medium"}
    if format is MULTIPLE_CHOICE:
        return values
    if format.name == "gsm8k":
        facts |= {"category": "gsm8k", "difficulty": _difficulty(text_of(row.values["answer"]) or "")}
    else:
        facts |= {key: row.values[key] for key in OWN if key in row.values}
    if "messages" not in values:
        return {**facts, "prompt": values["prompt"], "expected_answer": values["final_answer"]}
    before, response = last_answer(values["messages"])
    return {**facts, **_asked(before, values.get("tools")), "expected_answer": gold(response)}


OWN = ("id", *GROUPS, "accepted", "meta")  # fields of a sample that a row may give


def _asked(before: list[dict[str, Any]], tools: list[Any] | None) -> dict[str, Any]:
    """The turns before the answer: as a prompt, if there is only one of the user, else as messages."""
    if len(before) == 1 and before[0]["role"] == "user" and not tools:
        return {"prompt": before[0]["content"]}
    return {"messages": before, "tools": tools or ()}


def _difficulty(answer: str) -> str:
    """By the number of lines before the one with the answer."""
    n_lines = len(answer.strip().split("\n")) - 1
    return "easy" if n_lines <= 2 else "medium" if n_lines <= 4 else "hard"


def _choices(row: Values) -> tuple[list[str], list[str]]:
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


def _text(row: Values, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key!r} is {value!r}, must be a non-empty text")
    return value.strip()
