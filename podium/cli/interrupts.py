"""Handle Ctrl-C and SIGTERM as requests to stop between two steps, after all files are closed."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LATE = "stopped at once; pass --resume to continue from the newest checkpoint"
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class Interrupts:
    """`requested()` is True after a signal; `exit_code` is then 130 or 143, as shells expect."""

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
def catch_interrupts(grace_s: float | None = None) -> Iterator[Interrupts]:
    """Record the first signal; a second signal has its usual effect, and stops the process at once.

    With `grace_s`, the process is stopped if it has not ended that many seconds after the first signal.
    """
    # Python handles a signal only after a compilation or a step has returned, which can take minutes. Stopping at any
    # moment is safe, because files are written atomically.
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
        with _patience(grace_s, f"no step ended within {grace_s or 0:g} s, {LATE}"):
            yield caught
    finally:
        restore()


@contextmanager
def end_at_once(left: str) -> Iterator[None]:
    """A signal stops the process at once, even during a compilation, and prints `left`; exit code 130 or 143.

    For work that leaves nothing half done.
    """
    # A handler is needed for Python to write the signal to the wake-up descriptor.
    before = {number: signal.signal(number, lambda *_: None) for number in NAMES}
    try:
        with _patience(0.0, left):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _patience(grace_s: float | None, message: str) -> Iterator[None]:
    if grace_s is None:
        yield
        return
    told, tells = socket.socketpair()  # Python writes each signal's number to it at once
    tells.setblocking(False)
    before = signal.set_wakeup_fd(tells.fileno())
    over = threading.Event()

    def stop_after_grace() -> None:
        number = told.recv(1)
        if number and not over.wait(grace_s):
            name = NAMES.get(signal.Signals(number[0]), "a signal")
            print(f"{name}: {message}", file=sys.stderr, flush=True)
            os._exit(128 + number[0])

    thread = threading.Thread(target=stop_after_grace, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        tells.close()  # ends the thread if there was no signal
        thread.join()
        told.close()
