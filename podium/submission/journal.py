"""The journal of a submission's one attempt: a line for every phase that it entered, flushed to the disk at once."""

from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field

from podium.core.clock import Moment
from podium.core.damage import keep_copy
from podium.core.errors import PodiumError, UsageError
from podium.core.files import append_whole, to_line, write_bytes
from podium.core.json_text import parse_json
from podium.core.plain_values import Unreadable
from podium.core.records import Record, parse_record
from podium.core.run_files import JOURNAL


class Phase(StrEnum):
    """What an attempt does, in this order; it ends as `finished` or `failed`."""

    CLAIMED = "claimed"
    PREPARING = "preparing"  # programs are compiled, and the time that answers take is measured
    TRAINING = "training"
    GENERATING = "generating"
    SCORING = "scoring"
    FINISHED = "finished"
    FAILED = "failed"  # there will be no score: training diverged, or no time was left

    @property
    def is_over(self) -> bool:
        return self in (Phase.FINISHED, Phase.FAILED)


class Entry(Record):
    """One line of attempt.jsonl."""

    phase: Phase
    session: int = Field(ge=1)  # 1, and one more after each interruption
    at: str  # UTC, ISO 8601
    elapsed_s: float = Field(ge=0)  # of the attempt, interruptions included
    moment: Moment
    facts: dict[str, Any] = Field(default_factory=dict)


class Journal:
    """The entries of `attempt.jsonl`. Reading changes nothing."""

    def __init__(self, run_dir: Path) -> None:
        """Raises UsageError for a damaged line, unless it is the last one, which a crash may have left incomplete."""
        self.path = run_dir / JOURNAL
        self.entries: list[Entry] = []
        self.torn: bytes = b""  # the incomplete last line
        data = self.path.read_bytes() if self.path.is_file() else b""
        *lines, rest = data.split(b"\n")
        for number, line in enumerate(lines, start=1):
            self.entries.append(_parsed(line, f"{self.path}:{number}"))
        self.torn = rest

    @property
    def newest(self) -> Entry:
        return self.entries[-1]

    def append(self, entry: Entry) -> None:
        """Write `entry`, and return when it is on the disk. Raises PodiumError if the disk refuses it."""
        line = to_line(entry.model_dump(mode="json")).encode("utf-8")
        try:
            with self.path.open("ab", buffering=0) as file:
                append_whole(file, line)
        except OSError as error:
            raise PodiumError(f"cannot write {self.path}: {error.strerror or error}; free some disk space") from error
        self.entries.append(entry)

    def repair(self) -> str | None:
        """Remove an incomplete last line, and keep the file as it was under another name. Returns what was done."""
        if not self.torn:
            return None
        kept = keep_copy(self.path)
        write_bytes(self.path, self.path.read_bytes().removesuffix(self.torn))
        number = len(self.entries) + 1
        self.torn = b""
        phase = self.newest.phase if self.entries else Phase.CLAIMED
        return f"{self.path.name}:{number}: incomplete, removed and kept in {kept.name}; going on from phase {phase}"


def _parsed(line: bytes, where: str) -> Entry:
    try:
        values = parse_json(line.decode("utf-8"))
    except (UnicodeDecodeError, Unreadable) as error:
        raise UsageError(f"{where}: not a line of a journal; restore the file") from error
    return parse_record(Entry, values, where)
