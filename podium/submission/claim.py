"""The claim on a lock: the process that creates claim.json may run the lock, and no other process may."""

import fcntl
import os
import platform
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from podium.core.clock import Moment, MonotonicClock
from podium.core.errors import UsageError
from podium.core.files import create_exclusively, to_line
from podium.core.records import Record, read_record
from podium.core.run_files import CLAIM
from podium.submission.journal import Journal


class UnlabelledFile(Record):
    """The file of unlabelled items that `podium submit --test` was given."""

    path: str
    sha256: str

    @property
    def name(self) -> str:
        return Path(self.path).name

    def for_evidence(self) -> "UnlabelledFile":
        """This file by its name alone if its path is absolute, since evidence names no place of one machine."""
        return self.model_copy(update={"path": self.name}) if Path(self.path).is_absolute() else self


class Claim(Record):
    """`submission_runs/<name>/claim.json`."""

    lock_id: str
    pid: int
    host: str
    claimed_at: str  # UTC, ISO 8601
    # Absent in claims of older versions, whose attempts cannot be continued:
    claim_id: str | None = None
    elapsed_s: float | None = Field(None, ge=0)  # from the start of the command
    moment: Moment | None = None
    test: UnlabelledFile | None = None
    accepted: dict[str, str] | None = None  # rules of the competition that the user chose to break, and how
    exported_to: Literal["kaggle"] | None = None  # the run takes place there; its evidence has this claim_id


def claim_path(run_dir: Path) -> Path:
    return run_dir / CLAIM


def claim_run(
    run_dir: Path,
    lock_id: str,
    moment: Moment | None = None,
    elapsed_s: float = 0.0,
    test: UnlabelledFile | None = None,
    accepted: dict[str, str] | None = None,
    exported_to: Literal["kaggle"] | None = None,
    claim_id: str | None = None,
) -> Claim:
    """Claim the one run of a lock. The command began `elapsed_s` before `moment`, which is now.

    `exported_to`: the run will take place there. `claim_id`: of the claim that was made where the lock is, if this is
    the run that was exported.

    Raises:
        UsageError: the run was already claimed; the message says when and where.
    """
    claim = Claim(
        lock_id=lock_id,
        pid=os.getpid(),
        host=platform.node(),
        claimed_at=utc_now(),
        claim_id=claim_id or uuid.uuid4().hex,
        elapsed_s=elapsed_s,
        moment=moment or MonotonicClock().moment(),
        test=test,
        accepted=accepted or None,
        exported_to=exported_to,
    )
    if not create_exclusively(claim_path(run_dir), to_line(claim.model_dump(mode="json", exclude_none=True))):
        raise _taken(run_dir)
    return claim


def read_claim(run_dir: Path) -> Claim:
    """Raises UsageError if the run was not claimed, or its claim is malformed."""
    path = claim_path(run_dir)
    if not path.exists():
        name = run_dir.name
        raise UsageError(f"submission {name!r} was not claimed: nothing to resume; `podium submit {name}` runs it")
    return read_record(Claim, path)


def refuse_claimed(run_dir: Path) -> None:
    """Raises UsageError, saying when and where, if the run was already claimed. Hashes nothing, so it is quick."""
    if claim_path(run_dir).exists():
        raise _taken(run_dir)


@contextmanager
def held(run_dir: Path) -> Iterator[None]:
    """Keep every other process from working on the claimed run. The system frees the claim however a process ends.

    Raises:
        UsageError: another process works on it.
    """
    with claim_path(run_dir).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"submission {run_dir.name!r} is being run by another process; wait until it has ended"
            ) from None
        except OSError:
            pass  # a network file system that cannot lock
        yield


def _taken(run_dir: Path) -> UsageError:
    claim = read_record(Claim, claim_path(run_dir))
    if claim.exported_to:
        return UsageError(
            f"submission {run_dir.name!r} was exported to Kaggle at {claim.claimed_at}, as attempt {claim.claim_id}; a "
            f"lock runs once; `podium kaggle push {run_dir.name}` runs it there"
        )
    todo = "promote again under another name"
    if claim.claim_id is not None and not _is_over(run_dir):
        todo = f"if it was interrupted, `podium submit {run_dir.name} --resume` continues it"
    return UsageError(
        f"submission {run_dir.name!r} was already run: claimed {claim.claimed_at} on {claim.host} (pid {claim.pid}); "
        f"a lock runs once; {todo}"
    )


def _is_over(run_dir: Path) -> bool:
    entries = Journal(run_dir).entries
    return bool(entries) and entries[-1].phase.is_over


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
