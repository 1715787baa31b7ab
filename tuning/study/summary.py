"""summary.json of a study: how the last sweep went. Everything else works without it, and a resume writes it anew."""

from pathlib import Path
from typing import Any

from pydantic import Field

from podium.core.errors import UsageError
from podium.core.records import Record, read_record
from tuning.study.files import SUMMARY_FILE


class Account(Record):
    """How often MLflow failed in the sweep, and the trials that are missing or out of date there."""

    failures: int
    last_failure: str | None = None
    unwritten: tuple[int, ...] = ()
    study_unwritten: bool = False  # whether the study's own run is missing or out of date


class Summary(Record):
    """The keys of the file, all of which an older version of Podium may have left out."""

    backend: str = ""
    wall_s: float = 0.0
    span_s: float = 0.0
    busy_share: float | None = None
    workers: tuple[dict[str, Any], ...] = ()
    states: dict[str, int] = Field({})
    steps_run: int = 0
    steps_saved: int = 0
    cuts: dict[str, int] = Field({})
    stopped: str | None = None
    failed: bool = False
    mlflow: Account | None = None


def read_summary(folder: Path) -> tuple[dict[str, Any], str | None]:
    """The keys that summary.json has, and what is damaged in it. There are none before the end of the first sweep, nor
    if the file is damaged."""
    path = folder / SUMMARY_FILE
    if not path.is_file():
        return {}, None
    try:
        return read_record(Summary, path).model_dump(mode="json", exclude_unset=True), None
    except UsageError as error:
        return {}, f"{error}; `podium repair {folder.name}` writes what it can of it"
