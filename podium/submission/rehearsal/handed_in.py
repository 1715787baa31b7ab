"""What Kaggle's scorer would say about the file that a notebook hands in."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from podium.core.files import read_text
from podium.core.run_files import SUBMISSION, SUBMISSION_CSV
from podium.core.wording import named
from podium.submission.rehearsal.outcome import Verdict


def judge(working: Path, ids: Sequence[str], sample: Path | None) -> tuple[Verdict, str] | None:
    """None if the file in the working folder answers every id once, in the form of a sample file if one is given."""
    path = next((working / name for name in (SUBMISSION_CSV, SUBMISSION) if (working / name).is_file()), None)
    if path is None:
        return Verdict.NO_FILE, f"neither {SUBMISSION_CSV} nor {SUBMISSION} is in the working folder"
    text = read_text(path)
    problem = _of_json(text, ids) if path.name == SUBMISSION else _of_csv(text, ids, sample)
    return (Verdict.SCORING, f"{path.name}: {problem}") if problem else None


def _of_json(text: str, ids: Sequence[str]) -> str | None:
    try:
        found = json.loads(text)
    except ValueError as error:
        return f"is no JSON ({error})"
    return _of_ids(list(found), ids) if isinstance(found, dict) else "is no object of tasks"


def _of_csv(text: str, ids: Sequence[str], sample: Path | None) -> str | None:
    header, *rows = [*csv.reader(io.StringIO(text))] or [[]]
    wanted, numeric = _form(sample)
    if wanted and header != wanted:
        return f"has the columns {', '.join(header)}, must have {', '.join(wanted)}"
    if short := [row for row in rows if len(row) != len(header)]:
        return f"the row {short[0]} has {len(short[0])} values, must have {len(header)}"
    for index in numeric:
        if wrong := [row[index] for row in rows if not _is_number(row[index])]:
            return f"{header[index]}={wrong[0]!r} is no number, as it is in {sample and sample.name}"
    return _of_ids([row[0] for row in rows], ids)


def _of_ids(found: Sequence[str], ids: Sequence[str]) -> str | None:
    if twice := [name for name, n in Counter(found).items() if n > 1]:
        return f"{named(twice)} twice"
    if missing := sorted(set(ids) - set(found)):
        return f"{len(missing)} of {len(ids)} ids are missing ({named(missing)})"
    if unknown := sorted(set(found) - set(ids)):
        return f"{len(found)} rows, must be {len(ids)}: unknown ids {named(unknown)}"
    return None


def _form(sample: Path | None) -> tuple[list[str], list[int]]:
    """The columns of a sample file, and which of them, beside the id, hold numbers."""
    if sample is None:
        return [], []
    header, *rows = [*csv.reader(io.StringIO(read_text(sample)))] or [[]]
    return header, [n for n in range(1, len(header)) if rows and all(_is_number(row[n]) for row in rows)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
