"""Handle Ctrl-C, SIGTERM and SIGHUP as requests to stop between two steps, after all files are closed."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

LATE = "stopped at once; pass --resume to continue from the newest checkpoint"
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


class Interrupts:
    """`requested()` is True after a signal; `exit_code` is then 130, 143 or 129, as shells expect."""

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
    """Record the first signal. A second Ctrl-C or SIGTERM stops the process at once, even during a compilation.

    With `grace_s`, the process is stopped if it has not ended that many seconds after the first signal.
    """
    # Stopping at any moment is safe, because files are written atomically.
    caught = Interrupts()

    def note(number: int, _frame: FrameType | None) -> None:
        caught.signum = caught.signum or number

    def quit_when_asked_again(signals: socket.socket) -> None:
        first = signals.recv(1)
        signals.settimeout(grace_s)
        try:
            while number := signals.recv(1):
                if number[0] != signal.SIGHUP:  # a closing terminal sends it more than once
                    _quit(number[0], f"asked twice, {LATE}")
        except TimeoutError:
            _quit(first[0], f"no step ended within {grace_s:g} s, {LATE}")

    with _handled_by(note), _heard_by(quit_when_asked_again):
        yield caught


@contextmanager
def end_at_once(left: str) -> Iterator[None]:
    """A signal stops the process at once, even during a compilation, and prints `left`; exit code 130, 143 or 129.

    For work that leaves nothing half done.
    """

    def quit_when_asked(signals: socket.socket) -> None:
        if number := signals.recv(1):
            _quit(number[0], left)

    with _handled_by(lambda *_: None), _heard_by(quit_when_asked):
        yield


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the signals, except those that are ignored: `nohup` ignores SIGHUP, a shell SIGINT in the background."""
    before = {number: signal.getsignal(number) for number in NAMES}
    handled = [number for number, old in before.items() if old is not signal.SIG_IGN]
    for number in handled:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])


@contextmanager
def _heard_by(listen: Callable[[socket.socket], None]) -> Iterator[None]:
    """Run `listen` in a thread. It receives each signal's number from its socket at once, and no byte at the end.

    Python itself handles a signal only after a compilation or a step has returned, which can take minutes.
    """
    signals, wakeup = socket.socketpair()
    wakeup.setblocking(False)
    before = signal.set_wakeup_fd(wakeup.fileno())
    thread = threading.Thread(target=listen, args=(signals,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        wakeup.close()
        thread.join()
        signals.close()


def _quit(number: int, message: str) -> None:
    """End the process now. The main thread may hold the lock of sys.stderr, so this does not use it."""
    name = NAMES.get(signal.Signals(number), "a signal")
    with suppress(OSError):  # the terminal may be gone
        os.write(2, f"{name}: {message}\n".encode())
    os._exit(128 + number)
