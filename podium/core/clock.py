"""Monotonic time and deadlines, time across processes and restarts, and a fake clock for tests."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # Linux


class Clock(Protocol):
    """A clock in seconds that never goes backwards."""

    def now(self) -> float: ...


@dataclass(frozen=True)
class Moment:
    """A point in time that a later process can compare with its own."""

    wall_s: float  # since 1970; anyone can set this clock
    monotonic_s: float  # since the machine was started; nobody can set this clock
    boot_id: str | None = None  # another one after each start of the machine; None if the system has none


class DatedClock(Clock, Protocol):
    """A clock whose time can be compared across processes; `now()` is the moment's `monotonic_s`."""

    def moment(self) -> Moment: ...


class MonotonicClock:
    def now(self) -> float:
        return time.monotonic()

    def moment(self) -> Moment:
        boot_id = BOOT_ID.read_text().strip() if BOOT_ID.is_file() else None
        return Moment(time.time(), time.monotonic(), boot_id)


class FakeClock:
    """A clock that moves by `advance`, and by `tick_s` at every reading. Its wall clock is `wall_ahead_s` ahead."""

    def __init__(self, start_s: float = 0.0, tick_s: float = 0.0, boot_id: str | None = "boot-1") -> None:
        self._now_s = start_s
        self.tick_s = tick_s
        self.wall_ahead_s = 0.0
        self.boot_id = boot_id

    def now(self) -> float:
        self._now_s += self.tick_s
        return self._now_s

    def moment(self) -> Moment:
        now_s = self.now()
        return Moment(now_s + self.wall_ahead_s, now_s, self.boot_id)

    def advance(self, seconds: float) -> None:
        self._now_s += seconds


@dataclass(frozen=True)
class Gap:
    """The time between two moments."""

    seconds: float  # never negative
    restarted: bool  # whether the machine was started in between
    set_back_s: float  # by how much the wall clock was found to be set back


def gap_between(earlier: Moment, later: Moment) -> Gap:
    """The time from one process's moment to another's, on the same machine.

    Within one start of the machine the monotonic clock counts, and over a restart the wall clock. A wall clock that was
    set back over a restart counts as no time.
    """
    same_boot = None not in (earlier.boot_id, later.boot_id) and earlier.boot_id == later.boot_id
    restarted = not same_boot and earlier.boot_id is not None
    monotonic_s, wall_s = later.monotonic_s - earlier.monotonic_s, later.wall_s - earlier.wall_s
    seconds = monotonic_s if same_boot and monotonic_s >= 0 else wall_s
    return Gap(max(0.0, seconds), restarted, max(0.0, -wall_s))


@dataclass(frozen=True)
class Deadline:
    """A deadline `budget_s - reserve_s` seconds after `start_s` on `clock`; `budget_s=None` never expires.

    The reserve is kept for the work that follows, such as scoring and evidence.
    """

    clock: Clock
    start_s: float
    budget_s: float | None
    reserve_s: float = 0.0

    @classmethod
    def after(cls, budget_s: float | None, reserve_s: float = 0.0, clock: Clock | None = None) -> "Deadline":
        clock = clock or MonotonicClock()
        return cls(clock, clock.now(), budget_s, reserve_s)

    def elapsed_s(self) -> float:
        return self.clock.now() - self.start_s

    def remaining_s(self) -> float:
        """Seconds left before the reserve begins; infinite without a budget."""
        if self.budget_s is None:
            return float("inf")
        return self.budget_s - self.reserve_s - self.elapsed_s()

    def expired(self) -> bool:
        return self.remaining_s() <= 0
