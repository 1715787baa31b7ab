"""Monotonic time and deadlines, and a fake clock for tests."""

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """A clock in seconds that never goes backwards."""

    def now(self) -> float: ...


class MonotonicClock:
    def now(self) -> float:
        return time.monotonic()


class FakeClock:
    """A clock that moves by `advance`, and by `tick_s` at every reading."""

    def __init__(self, start_s: float = 0.0, tick_s: float = 0.0) -> None:
        self._now_s = start_s
        self.tick_s = tick_s

    def now(self) -> float:
        self._now_s += self.tick_s
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds


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
