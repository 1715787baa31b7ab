"""What is being done, shown to the user: a line at the bottom of a terminal, or a line for what took long."""

import math
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from podium.core.clock import Clock, MonotonicClock
from podium.core.duration import format_duration
from podium.core.progress import Activity
from podium.core.redaction import printable

ERASE = "\r\x1b[K"
PERIOD_S = 0.25
SHOWN_AFTER_S = 0.5  # shorter work would only flicker
LONG_S = 10.0


class StatusLine:
    """A line that is drawn again and again below what is printed, and erased once the work is done."""

    def __init__(self, terminal: TextIO, clock: Clock | None = None) -> None:
        self._terminal, self._clock = terminal, clock or MonotonicClock()
        self._lock = threading.RLock()
        self._timings = _Timings()
        self._timing: _Timing | None = None
        self._drawn, self._may_draw = False, True
        self._ticker: threading.Thread | None = None
        self._ended = threading.Event()

    def hear(self, activity: Activity | None) -> None:
        with self._lock:
            self._timing = self._timings.hear(activity, self._clock.now())
            if activity is None:
                self.erase()
            elif self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()

    def printing(self, text: str, write: Callable[[], object]) -> None:
        """Call `write`, which prints `text`, where the line was."""
        with self._lock:
            self.erase()
            write()
            self._may_draw = text.endswith("\n") or (not text and self._may_draw)

    def draw(self) -> None:
        with self._lock:
            now = self._clock.now()
            if self._timing and self._may_draw and now - self._timing.began_s >= SHOWN_AFTER_S:
                room = shutil.get_terminal_size().columns - 1
                self._terminal.write(ERASE + self._timing.line(now)[:room])
                self._terminal.flush()
                self._drawn = True

    def erase(self) -> None:
        with self._lock:
            if self._drawn:
                self._terminal.write(ERASE)
                self._terminal.flush()
                self._drawn = False

    def end(self) -> None:
        self._ended.set()
        if self._ticker:
            self._ticker.join()
        self.erase()

    def _tick(self) -> None:
        while not self._ended.wait(PERIOD_S):
            self.draw()


class LongWork:
    """Where there is no terminal: one line on standard error once something of unknown size has taken long."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or MonotonicClock()
        self._timings = _Timings()
        self._timing: _Timing | None = None

    def hear(self, activity: Activity | None) -> None:
        before, now = self._timing, self._clock.now()
        self._timing = self._timings.hear(activity, now)
        ended = before and (activity is None or activity.what != before.activity.what)
        if before and ended and before.activity.total is None and now - before.began_s >= LONG_S:
            print(f"{before.activity.what} took {format_duration(now - before.began_s)}", file=sys.stderr, flush=True)


class _Timings:
    """The timing of the innermost activity; those around it go on when it has ended."""

    def __init__(self) -> None:
        self._of: dict[str, _Timing] = {}

    def hear(self, activity: Activity | None, now: float) -> "_Timing | None":
        if activity is None:
            self._of.clear()
            return None
        before = self._of.get(activity.what)
        self._of[activity.what] = _Timing(activity, now) if before is None else before.going_on(activity, now)
        return self._of[activity.what]


@dataclass(frozen=True)
class _Timing:
    """An activity and when it began. `first`: when it advanced for the first time, and to where."""

    activity: Activity
    began_s: float
    first: tuple[float, int] | None = None

    def going_on(self, activity: Activity, now: float) -> "_Timing":
        advanced = activity.done > self.activity.done
        return _Timing(activity, self.began_s, self.first or ((now, activity.done) if advanced else None))

    def line(self, now: float) -> str:
        """`training 120/300, 24.0 s, about 36.0 s left; 9h 58m of the budget`"""
        activity = self.activity
        count = "" if activity.total is None else f" {activity.done}/{activity.total}"
        text = f"{activity.what}{count}, {format_duration(now - self.began_s)}"
        since_s, from_done = self.first or (now, activity.done)  # what came before it was compiled
        if activity.total is not None and activity.done > from_done:
            left_s = (now - since_s) / (activity.done - from_done) * (activity.total - activity.done)
            text += f", about {format_duration(left_s)} left"
        if activity.left_s < math.inf:
            text += f"; {format_duration(max(0.0, activity.left_s - (now - self.began_s)))} of the budget"
        return printable(text)
