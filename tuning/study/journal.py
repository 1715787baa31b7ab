"""The file of Optuna's journal storage: Podium's own lock, and a hash in each line.

Optuna appends a line for each change of the study, a JSON object, and reads them all to know the study. The hash is one
more key of the object, `sha256`, which Optuna ignores. Lines of older versions of Podium have none.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from podium.core.damage import DamagedFile
from podium.core.errors import PodiumError
from podium.core.files import is_full_disk
from podium.core.redaction import one_line

HASH = "sha256"
HASH_AT_END = re.compile(rb',"sha256":"([0-9a-f]{16})"\}$')
LENGTH = len(f',"{HASH}":"{16 * "0"}"}}')


class DamagedJournal(DamagedFile):
    """A line of the journal is not what was written."""


class Journal(JournalFileBackend):
    """Optuna's journal file, under `JournalLock`. Damaged lines and write errors are PodiumErrors, which name it."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), JournalLock(path))  # type: ignore[arg-type]  # the base class is private to Optuna
        self.path = path
        self.line = 0  # the number, from 1, of the line that was read last
        self._starts = {0: 0}  # number of lines -> where the next one starts

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any]]:
        """The lines after the first `log_number_from`. Raises DamagedJournal."""
        with self.path.open("rb") as file:
            start = self._starts.get(log_number_from)
            file.seek(start or 0)
            for self.line, line in enumerate(file, start=1 if start is None else log_number_from + 1):
                if not line.endswith(b"\n"):  # being written, or left by a crash
                    return
                self._starts[self.line] = self._starts[self.line - 1] + len(line)
                if self.line > log_number_from:
                    yield self._parsed(line)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Raises PodiumError, which names the file, if it cannot be written."""
        try:
            super().append_logs([{**log, HASH: _hash(_text(log))} for log in logs])
        except OSError as error:
            todo = "free some space" if is_full_disk(error) else "make the file writable"
            raise PodiumError(f"cannot write {self.path}: {error.strerror or error}; {todo}") from error

    def damaged(self, why: BaseException | str) -> DamagedJournal:
        """The error for the line that was read last."""
        repair = f"`podium repair {self.path.parent.name}` keeps the file under another name and writes it anew"
        return DamagedJournal(f"{self.path}:{self.line}: the line is damaged ({one_line(why, 200)}); {repair}")

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            return parse_line(line)
        except ValueError as error:
            raise self.damaged(error) from error


def open_journal(path: Path) -> JournalStorage:
    """The storage that the journal holds. Raises DamagedJournal, which names the line that cannot be used."""
    journal = Journal(path)
    try:
        return JournalStorage(journal)
    except (PodiumError, OSError):
        raise
    except Exception as error:  # Optuna checks nothing that it reads
        raise journal.damaged(f"{type(error).__name__}: {error}") from error


def parse_line(line: bytes) -> dict[str, Any]:
    """The object on a line. Raises ValueError if it is not what was written."""
    text = line.removesuffix(b"\n")
    found = HASH_AT_END.match(text, max(0, len(text) - LENGTH))
    if found and _hash(text[: found.start()] + b"}") != found[1].decode():
        raise ValueError("it differs from its hash")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("op_code"), int):
        raise ValueError("not an operation of Optuna's")
    return {key: item for key, item in value.items() if key != HASH}


def _text(log: dict[str, Any]) -> bytes:
    return json.dumps(log, separators=(",", ":")).encode()  # as the base class writes it


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]


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
