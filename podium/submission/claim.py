"""The claim on a lock: the process that creates claim.json may run the lock, and no other process may."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from podium.core.errors import UsageError
from podium.core.files import create_exclusively, to_line
from podium.core.records import Record, read_record
from podium.core.run_files import CLAIM


class Claim(Record):
    """`submission_runs/<name>/claim.json`."""

    lock_id: str
    pid: int
    host: str
    claimed_at: str  # UTC, ISO 8601


def claim_path(run_dir: Path) -> Path:
    return run_dir / CLAIM


def claim_run(run_dir: Path, lock_id: str) -> Claim:
    """Claim the one run of a lock.

    Raises:
        UsageError: the run was already claimed; the message says when and where.
    """
    claim = Claim(lock_id=lock_id, pid=os.getpid(), host=platform.node(), claimed_at=utc_now())
    if not create_exclusively(claim_path(run_dir), to_line(claim.model_dump())):
        raise _taken(run_dir)
    return claim


def refuse_claimed(run_dir: Path) -> None:
    """Raises UsageError, saying when and where, if the run was already claimed. Hashes nothing, so it is quick."""
    if claim_path(run_dir).exists():
        raise _taken(run_dir)


def _taken(run_dir: Path) -> UsageError:
    claim = read_record(Claim, claim_path(run_dir))
    return UsageError(
        f"submission {run_dir.name!r} was already run: claimed {claim.claimed_at} on {claim.host} (pid {claim.pid}); "
        "a lock runs once; promote again under another name"
    )


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
