"""The quota ledger, `quota.jsonl` in the workspace: what every sweep, promotion and submission has used.

Lines are only added, each of them flushed to the disk. A run adds one at its start, one a minute and one at its end,
each with its whole use so far, so the newest line of a run counts and a killed process loses at most a minute.
"""

import contextlib
import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal, Self

from pydantic import AwareDatetime, Field

from podium.core.budgets.profiles import Profile
from podium.core.clock import DatedClock, MonotonicClock
from podium.core.damage import Findings, keep_copy
from podium.core.errors import PodiumError, UsageError
from podium.core.files import append_whole, to_line, write_bytes
from podium.core.json_text import parse_json
from podium.core.paths import workspace
from podium.core.plain_values import Unreadable
from podium.core.records import Record, parse_record
from podium.core.run_files import LEDGER
from podium.core.wording import counted

EVERY_S = 60.0  # at most this much of a run's use is lost if its process is killed
Activity = Literal["sweep", "promotion", "submission"]


class Entry(Record):
    """One line: what a run has used from its start to `at`. A resumed study or submission is another run."""

    run: str
    activity: Activity
    name: str  # of the study or submission
    profile: str
    quota: Literal["gpu", "tpu"] | None = None  # the quota that the profile draws on; None if nothing is metered
    at: AwareDatetime
    wall_s: float = Field(ge=0)
    quota_s: float = Field(ge=0)  # wall_s times the profile's rate
    ended: bool = False


@dataclass(frozen=True)
class Ledger:
    """The whole lines of the ledger, and the numbers of the damaged ones, from 1. Reading changes nothing."""

    path: Path
    entries: tuple[Entry, ...] = ()
    damaged: tuple[int, ...] = ()

    @property
    def problem(self) -> str | None:
        """One line about the damaged lines; None if there is none."""
        if not self.damaged:
            return None
        numbers = ", ".join(map(str, self.damaged[:5])) + (" and more" if len(self.damaged) > 5 else "")
        return f"{self.path}: line {numbers} cannot be read and does not count; `podium repair {LEDGER}` removes it"

    def used_s(self, quota: str, since: datetime) -> float:
        """Quota-seconds of `quota` (gpu or tpu) since then; of a run that began before, those since its last line."""
        first: dict[str, float] = {}
        last: dict[str, float] = {}
        for entry in self.entries:
            if entry.quota == quota:
                (first if entry.at < since else last)[entry.run] = entry.quota_s
        return sum(max(0.0, used_s - first.get(run, 0.0)) for run, used_s in last.items())


def ledger_path() -> Path:
    return workspace() / LEDGER


def read_ledger() -> Ledger:
    """The ledger; an empty one if there is no file. Raises UsageError if it cannot be read at all."""
    path = ledger_path()
    try:
        lines = path.read_bytes().splitlines() if path.is_file() else []
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    found = {number: _parsed(line) for number, line in enumerate(lines, start=1)}
    return Ledger(
        path,
        tuple(entry for entry in found.values() if entry is not None),
        tuple(number for number, entry in found.items() if entry is None),
    )


def append(entry: Entry) -> None:
    """Add a line, and return when it is on the disk. Processes may append at the same time.

    Raises:
        PodiumError: the disk refused it; the ledger is as it was.
    """
    path, line = ledger_path(), to_line(entry.model_dump(mode="json")).encode("utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file, _alone(file):
            size = file.seek(0, os.SEEK_END)
            if size and _last_byte(file, size) != b"\n":
                line = b"\n" + line  # a killed process left a part of a line, which stays as it is
            append_whole(file, line)
    except OSError as error:
        raise PodiumError(f"cannot write {path}: {error.strerror or error}; free some disk space") from error


def repair() -> Findings:
    """Remove the damaged lines, and keep the file as it was under another name."""
    found, ledger = Findings(), read_ledger()
    if ledger.damaged:
        with ledger.path.open("rb") as file, _alone(file):
            lines = file.read().splitlines(keepends=True)
            kept = keep_copy(ledger.path)
            whole = [line.rstrip(b"\n") + b"\n" for line in lines if _parsed(line) is not None]
            write_bytes(ledger.path, b"".join(whole))
        gone = counted(len(lines) - len(whole), "damaged line")
        found.done.append(f"{LEDGER}: {gone} removed; the file as it was is {kept.name}")
        found.lost.append(f"what {gone} of {LEDGER} said; the newest whole line of each run counts")
    return found


@dataclass
class Meter:
    """Writes what one run uses into the ledger: `begin`, then `tick` whenever there is time, then `end`."""

    activity: Activity
    name: str
    profile: Profile
    clock: DatedClock = field(default_factory=MonotonicClock)
    start_s: float | None = None  # on the clock; default: when the meter is made
    on_error: Callable[[str], None] | None = None  # told when the disk refuses a line; default: the error is raised

    def __post_init__(self) -> None:
        self._run = uuid.uuid4().hex[:12]
        if self.start_s is None:
            self.start_s = self.clock.now()
        self._written_s = self.start_s

    def __enter__(self) -> Self:
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        self._write(ended=True)

    def tick(self) -> None:
        """Write a line if the last one is EVERY_S old. Raises PodiumError as `append` does, without `on_error`."""
        if self.clock.now() - self._written_s >= EVERY_S:
            self._write()

    def _write(self, ended: bool = False) -> None:
        assert self.start_s is not None
        moment = self.clock.moment()
        self._written_s = moment.monotonic_s
        wall_s = round(moment.monotonic_s - self.start_s, 3)
        entry = Entry(
            run=self._run,
            activity=self.activity,
            name=self.name,
            profile=self.profile.name,
            quota=self.profile.quota,
            at=datetime.fromtimestamp(moment.wall_s, UTC),
            wall_s=wall_s,
            quota_s=wall_s * self.profile.rate,
            ended=ended,
        )
        try:
            append(entry)
        except PodiumError as error:
            if self.on_error is None:
                raise
            self.on_error(str(error))


@contextlib.contextmanager
def _alone(file: BinaryIO) -> Iterator[None]:
    """Keep other processes from writing. A network file system that cannot lock relies on its appends being whole."""
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _last_byte(file: BinaryIO, size: int) -> bytes:
    file.seek(size - 1)
    return file.read(1)


def _parsed(line: bytes) -> Entry | None:
    try:
        return parse_record(Entry, parse_json(line.decode("utf-8")), LEDGER)
    except (UnicodeDecodeError, Unreadable, UsageError):
        return None
