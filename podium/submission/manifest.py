"""run_manifest.json: the state of a submission run, and the hash of each of its other files."""

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from podium.core import run_files
from podium.core.errors import UsageError
from podium.core.files import write_json
from podium.core.paths import submission_dir
from podium.core.records import Record, read_record
from podium.core.states import State
from podium.submission.claim import UnlabelledFile, refuse_claimed
from podium.submission.lock import Lock
from podium.submission.verify import SHORT, refuse_gaps, without_nulls

UNSCORED: Literal["unscored"] = "unscored"  # predicted unlabelled items, which have no score
WITH_EVIDENCE = (State.COMPLETE, UNSCORED)


class RunManifest(Record):
    """`run_manifest.json`: the state of the run. eval_summary.json has the scores, provenance.json the device."""

    manifest_version: Literal["1"] = "1"
    name: str
    lock_id: str
    claim_id: str | None = None
    state: State | Literal["unscored"]
    claimed_at: str  # UTC, ISO 8601
    time_budget_s: float
    steps_locked: int
    interruptions: int = 0  # how often the attempt was resumed
    test: UnlabelledFile | None = None  # the unlabelled items, if there were any
    # Set when the run has ended:
    ended_at: str | None = None
    elapsed_s: float | None = None  # from the start of the command; includes start-up, compilation and interruptions
    reason: str | None = None  # why the run is not complete
    resumable: bool = False  # whether `podium submit NAME --resume` continues it
    # Set when the run is complete:
    steps_trained: int | None = None
    truncated: bool | None = None  # the deadline came before the last locked step
    files: dict[str, str] | None = None  # sha256 by name

    @model_validator(mode="after")
    def _has_the_fields_of_its_state(self) -> Self:
        complete = ("steps_trained", "truncated", "files")
        needed = ("ended_at", "elapsed_s", *(complete if self.has_evidence else ("reason",)))
        missing = [name for name in needed if getattr(self, name) is None]
        if self.state is not State.RUNNING and missing:
            raise ValueError(f"a run that is {self.state} needs {', '.join(missing)}")
        return self

    @property
    def has_evidence(self) -> bool:
        """Whether the run came to its end, with a score or with predictions that have none."""
        return self.state in WITH_EVIDENCE


def write(path: Path, record: Record) -> None:
    """Write `record` as JSON. Raises UsageError, and writes nothing, if a value is null, a placeholder or NaN."""
    values = without_nulls(record.model_dump(mode="json"))
    refuse_gaps(values, path.name)
    write_json(path, values)


def read_complete(lock: Lock) -> RunManifest:
    """The manifest of a run with all its evidence. Raises UsageError if the lock has not been run to its end."""
    path = submission_dir(lock.name) / run_files.MANIFEST
    if not path.is_file():
        refuse_claimed(path.parent)  # it ended before it wrote a manifest
        raise UsageError(f"submission {lock.name!r} has not run; `podium submit {lock.name}` runs it")
    manifest = read_record(RunManifest, path)
    if manifest.lock_id != lock.lock_id:
        other = manifest.lock_id[:SHORT]
        raise UsageError(f"submission {lock.name!r}: {path.name} belongs to another lock ({other}); restore it")
    if not manifest.has_evidence:
        why = f" ({manifest.reason})" if manifest.reason else ""
        raise UsageError(f"submission {lock.name!r} is {manifest.state}{why}, must be complete")
    return manifest
