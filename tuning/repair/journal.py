"""What a damaged journal still says: its whole lines, replayed by Optuna."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages.journal import BaseJournalBackend

from podium.core.redaction import one_line
from tuning.search.objectives import Direction
from tuning.study.journal import parse_line

if TYPE_CHECKING:
    from optuna import Study

CREATE_STUDY, CREATE_TRIAL = 0, 4  # Optuna's `op_code`s that other lines depend on
DIRECTIONS: dict[Direction, int] = {"minimize": 1, "maximize": 2}
Line = dict[str, Any]


def salvage(journal: Path, directions: Sequence[Direction]) -> tuple[Study, dict[int, str]]:
    """The Optuna study of the journal's whole lines, in memory; and by number why each other line was left out.

    Optuna numbers trials in the order of their creation. Where a line that created one is damaged, a trial without
    values takes its place, so that later lines still mean the trial that they name.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    lines = _Lines()
    study_storage = optuna.storages.JournalStorage(lines)
    left_out: dict[int, str] = {}
    n_trials = 0
    name, codes = journal.parent.name, [DIRECTIONS[direction] for direction in directions]
    start = {"op_code": CREATE_STUDY, "study_name": name, "directions": codes}
    for number, log, why in [(0, start, ""), *_lines_of(journal)]:
        if why:
            left_out[number] = why
        for one in _with_missing_trials(log, n_trials):
            lines.logs.append({"worker_id": "repair", **one})
            n_trials += one["op_code"] == CREATE_TRIAL
            try:
                study_storage.get_all_studies()  # replays the line
            except Exception as error:  # noqa: BLE001  recorded: Optuna checks nothing that it reads
                left_out[number] = one_line(f"{type(error).__name__}: {error}", 200)
    return optuna.load_study(study_name=name, storage=study_storage), left_out


def _lines_of(journal: Path) -> Iterator[tuple[int, Line | None, str]]:
    """(number, object or None, why it is None) for each line. A damaged line may stand for a trial without values."""
    for number, line in enumerate(journal.read_bytes().split(b"\n") if journal.is_file() else (), start=1):
        try:
            if line:
                yield number, parse_line(line), ""
        except ValueError as error:
            yield number, _new_trial() if b'"op_code":4' in line else None, one_line(error)


def _with_missing_trials(log: Line | None, n_trials: int) -> list[Line]:
    """The line, after trials for those that it takes for granted."""
    named = log.get("trial_id") if log else None
    n_missing = named + 1 - n_trials if isinstance(named, int) and named < n_trials + 1000 else 0
    return [_new_trial() for _ in range(n_missing)] + ([log] if log else [])


def _new_trial() -> Line:
    return {"op_code": CREATE_TRIAL, "study_id": 0, "datetime_start": None}


class _Lines(BaseJournalBackend):
    """A journal in memory."""

    def __init__(self) -> None:
        self.logs: list[Line] = []

    def read_logs(self, log_number_from: int) -> Iterator[Line]:
        return iter(self.logs[log_number_from:])

    def append_logs(self, logs: list[Line]) -> None:
        self.logs.extend(logs)
