"""The file of Optuna's journal storage, with Podium's own lock."""

import fcntl
import os
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend

from podium.core.errors import PodiumError
from podium.core.files import is_full_disk


class Journal(JournalFileBackend):
    """Optuna's journal file, under `JournalLock`, whose write errors are PodiumErrors."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), JournalLock(path))  # type: ignore[arg-type]  # the base class is private to Optuna

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Raises PodiumError, which names the file, if it cannot be written."""
        try:
            super().append_logs(logs)
        except OSError as error:
            todo = "free some space" if is_full_disk(error) else "make the file writable"
            raise PodiumError(f"cannot write {self._file_path}: {error.strerror or error}; {todo}") from error


class JournalLock:
    """An flock on the journal itself."""

    # The system frees it however a process ends. Optuna's own lock files outlive a killed process, and the next process
    # waits for their grace period.

    def __init__(self, path: Path) -> None:
        self._path = path

    def acquire(self) -> bool:
        self._file = self._path.open("rb+")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._cut_torn_line()
        return True

    def release(self) -> None:
        self._file.close()

    def _cut_torn_line(self) -> None:
        """Remove a last line that a crash of the machine left incomplete: no process has seen it, and the next line
        would be appended to it."""
        text = self._path.read_bytes() if not self._ends_whole() else b""
        if text:
            self._file.truncate(text.rfind(b"\n") + 1)

    def _ends_whole(self) -> bool:
        if self._file.seek(0, os.SEEK_END) == 0:
            return True
        self._file.seek(-1, os.SEEK_END)
        return self._file.read(1) == b"\n"
