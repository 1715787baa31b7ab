"""Reading other people's test sets, JSONL of several layouts, into samples. docs/evaluation.md shows a line of each."""

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from eval.extract import extract
from eval.normalise import normalise
from podium.core.errors import UsageError
from podium.core.files import read_jsonl
from podium.core.records import Sample, parse_record

Row = Mapping[str, Any]


def import_samples(path: Path, name: str, layout: str, limit: int | None = None) -> list[Sample]:
    """The lines of `path`, or the first `limit` of them, as samples with ids `name-00001`, ... by line number.

    Raises:
        UsageError: unknown layout, no lines, an id twice, or a bad line, named with file, line number and reason.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"format {layout!r}, must be one of {', '.join(LAYOUTS)}")
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
            raise UsageError(f"{where}: id {sample.id!r} is there already; ids must be unique")
        samples[sample.id] = sample
    if not samples:
        raise UsageError(f"{path} holds no items; an evalset needs at least one")
    return list(samples.values())


def gsm8k(row: Row) -> dict[str, Any]:
    """{"question", "answer"}, the answer ending in `#### 72`. Its difficulty is by the number of worked lines."""
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
    """{"prompt", "response"}, where the response holds the answer; any other field of a sample may be given too."""
    found = extract(_text(row, "response"))
    if found is None or not found.answer:
        raise ValueError("the response holds no answer")
    defaults = {"section": "core", "category": "imported", "difficulty": "medium"}
    given = {key: row[key] for key in Sample.model_fields if key in row}
    return {**defaults, **given, "prompt": _text(row, "prompt"), "expected_answer": found.answer}


LAYOUTS: dict[str, Callable[[Row], dict[str, Any]]] = {"gsm8k": gsm8k, "prompt-response": prompt_response}


def _text(row: Row, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key!r} is {value!r}, must be a text that is not empty")
    return value.strip()
