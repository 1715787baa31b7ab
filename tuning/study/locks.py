"""File locks that keep two sweeps from working on one study, or from creating one file. The system frees a process's
lock however it ends.

Two processes that write to one trial would corrupt it, and the workers of a killed driver continue for a moment.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Self

from podium.core.clock import Deadline
from podium.core.errors import PodiumError, UsageError
from tuning.study.files import DRIVER_LOCK, WORKERS_LOCK

WAIT_S = 30.0
CREATION_S = 120.0  # MLflow's store takes 5 to 15 s


@contextlib.contextmanager
def one_creator(path: Path, deadline: Deadline | None = None) -> Iterator[None]:
    """Wait until no other process is within this context for `path`, which need not exist.

    Raises:
        PodiumError: another process has been within for too long, or the folder cannot be written.
    """
    try:
        lock = path.with_name(f".{path.name}.lock").open("a+")
    except OSError as error:
        raise PodiumError(f"cannot create {path}: {error.strerror}; its folder must exist and be writable") from error
    with lock as file:
        deadline = deadline or Deadline.after(CREATION_S)
        if not _locked(file, deadline, _pause):
            waited = f"after {deadline.elapsed_s():.0f} s"
            raise PodiumError(f"another process is still creating {path} {waited}; end it, then try again")
        yield


def _pause() -> None:
    time.sleep(0.1)


def _locked(file: IO[str], deadline: Deadline, pause: Callable[[], None]) -> bool:
    """Wait for an exclusive lock on the file; returns whether it was free before the deadline."""
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if deadline.expired():
            return False
        pause()


class WorkersLock:
    """Shared by the worker processes of a study; a new driver waits until none is left."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / WORKERS_LOCK
        self._file: IO[str] | None = None

    def share(self) -> Self:
        """Take the lock; it is held as long as this object exists."""
        self._file = self._path.open("a+")
        fcntl.flock(self._file, fcntl.LOCK_SH)
        return self

    def wait_for_none(self, deadline: Deadline | None = None, pause: Callable[[], None] = _pause) -> None:
        """Wait until no worker of an earlier sweep is left. Raises PodiumError if that takes too long."""
        deadline = deadline or Deadline.after(WAIT_S)
        with self._path.open("a+") as file:
            if not _locked(file, deadline, pause):
                raise PodiumError(
                    f"study {self._path.parent.name!r}: workers of an earlier sweep still run after "
                    f"{deadline.elapsed_s():.0f} s; end those processes, then resume"
                )


class DriverLock:
    """Held by the one sweep that drives a study."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / DRIVER_LOCK

    def __enter__(self) -> "DriverLock":
        """Raises UsageError if another process holds it, PodiumError if the folder cannot be written."""
        try:
            self._file = self._path.open("a+")
        except OSError as error:
            folder, why = self._path.parent, error.strerror
            raise PodiumError(f"cannot run a study in {folder}: {why}; copy it to a writable folder") from error
        try:
            self._lock()
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise UsageError(
                f"study {self._path.parent.name!r} is already being run by process {holder}; wait for it, or stop it"
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()
        return self

    def _lock(self) -> None:
        """Try again for a moment, because `driver_of` takes the lock for a moment."""
        for _ in range(5):
            with contextlib.suppress(BlockingIOError):
                return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            time.sleep(0.02)
        return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def driver_of(folder: Path) -> str | None:
    """The id of the process that drives the study, None if there is none. Takes the lock for a moment to find out."""
    path = folder / DRIVER_LOCK
    if not path.is_file():
        return None
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().strip() or "unknown"
    return None
