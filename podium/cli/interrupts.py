"""Ctrl-C and SIGTERM as a request: what is under way ends between two steps, and its files are closed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class Interrupts:
    """`requested()` is True once a signal came; `exit_code` is then what a shell expects: 130 or 143."""

    signum: int | None = None

    def requested(self) -> bool:
        return self.signum is not None

    @property
    def name(self) -> str:
        return NAMES[signal.Signals(self.signum)] if self.signum else ""

    @property
    def exit_code(self) -> int:
        return 128 + self.signum if self.signum else 0


@contextmanager
def catch_interrupts() -> Iterator[Interrupts]:
    """Note the first signal; the second one acts as it always does, for whoever does not want to wait."""
    caught = Interrupts()
    before = {number: signal.getsignal(number) for number in NAMES}

    def note(number: int, _frame: FrameType | None) -> None:
        caught.signum = number
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in NAMES:
        signal.signal(number, note)
    try:
        yield caught
    finally:
        restore()
