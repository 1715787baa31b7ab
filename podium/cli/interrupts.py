"""Ctrl-C and SIGTERM as a request: what is under way ends between two steps, and its files are closed."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LATE = "stopped at once; --resume goes on from the newest checkpoint"
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
def catch_interrupts(grace_s: float | None = None) -> Iterator[Interrupts]:
    """Note the first signal; the second one acts as it always does, for whoever does not want to wait.

    With `grace_s`, a process that has not come to its end that long after a signal is ended where it is: Python hears
    of a signal only when a compilation or a step has returned. What is on the disk is whole at any instant.
    """
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
        with _patience(grace_s, f"not at a step's end after {grace_s or 0:g} s, {LATE}"):
            yield caught
    finally:
        restore()


@contextmanager
def end_at_once(left: str) -> Iterator[None]:
    """A signal ends the process where it is, in a compilation too, and says what is `left` of its work.

    For work that has nothing half done: exit code 130 or 143.
    """
    before = {number: signal.signal(number, lambda *_: None) for number in NAMES}  # so that Python notes them
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
    told, tells = socket.socketpair()  # Python writes each signal's number to it, whatever the main thread is doing
    tells.setblocking(False)
    before = signal.set_wakeup_fd(tells.fileno())
    over = threading.Event()

    def wait_for_the_end() -> None:
        number = told.recv(1)
        if number and not over.wait(grace_s):
            name = NAMES.get(signal.Signals(number[0]), "a signal")
            print(f"{name}: {message}", file=sys.stderr, flush=True)
            os._exit(128 + number[0])

    thread = threading.Thread(target=wait_for_the_end, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        tells.close()  # which ends a thread that no signal has come to
        thread.join()
        told.close()
