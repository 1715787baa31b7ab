"""How a submission run ends before its end: a reason, a state, an exit code, and whether it can be resumed."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from podium.core import run_files
from podium.core.errors import PodiumError, RunFailed
from podium.core.paths import portable, submission_dir
from podium.core.private_paths import without_private_paths
from podium.core.redaction import named_line
from podium.core.states import State

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}
# An attempt that ends like this has no score and cannot be resumed: the same would happen again.
FINAL = (State.DIVERGED, State.INFEASIBLE)


class RunEnded(PodiumError):
    """The run was claimed and did not complete; run_manifest.json has the same state and reason.

    Unless the attempt `is_over`, `podium submit NAME --resume` continues it.
    """

    def __init__(self, name: str, state: State, reason: str, exit_code: int = 1, is_over: bool = False) -> None:
        folder = portable(submission_dir(name))
        todo = "" if is_over else f"; `podium submit {name} --resume` continues it"
        super().__init__(f"submission {name!r} {state}: {reason}; see {run_files.OUTPUT_LOG} in {folder}{todo}")
        self.state, self.reason, self.exit_code, self.is_over = state, reason, exit_code, is_over


class Interrupted(KeyboardInterrupt):
    """Raised in the main thread on a signal, so that open files are closed as the stack unwinds."""

    def __init__(self, number: int) -> None:
        super().__init__(NAMES[signal.Signals(number)])
        self.number = number


def as_ended(name: str, error: BaseException) -> RunEnded:
    """How the run of submission `name` ended by `error`."""
    if isinstance(error, RunEnded):
        return error
    if isinstance(error, RunFailed):
        return RunEnded(name, error.state, without_private_paths(str(error)), is_over=error.state in FINAL)
    if isinstance(error, Interrupted):
        return RunEnded(name, State.STOPPED, str(error), 128 + error.number)
    if isinstance(error, KeyboardInterrupt):
        return RunEnded(name, State.STOPPED, NAMES[signal.SIGINT], 128 + signal.SIGINT)
    return RunEnded(name, State.FAILED, without_private_paths(named_line(error)))


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """SIGTERM and SIGHUP end the run as Ctrl-C does. Later signals are ignored, so that the state is still written."""
    if threading.current_thread() is not threading.main_thread():  # Python installs handlers in the main thread only
        yield
        return
    # A signal that is ignored stays so: `nohup` ignores SIGHUP, and a shell SIGINT in the background.
    before = {number: old for number in NAMES if (old := signal.getsignal(number)) is not signal.SIG_IGN}
    report_unraisable = sys.unraisablehook

    def handle(handler: Any) -> None:
        for number in before:
            signal.signal(number, handler)

    def end(number: int, _frame: FrameType | None) -> None:
        handle(signal.SIG_IGN)
        raise Interrupted(number)

    def raise_again(unraisable: Any) -> None:
        """Python drops what is raised in a finalizer or in JAX's callback of the garbage collector."""
        if isinstance(unraisable.exc_value, Interrupted):
            handle(end)
            threading.Timer(0.1, os.kill, (os.getpid(), unraisable.exc_value.number)).start()
        else:
            report_unraisable(unraisable)

    handle(end)
    sys.unraisablehook = raise_again
    try:
        yield
    finally:
        sys.unraisablehook = report_unraisable
        for number, old in before.items():
            signal.signal(number, old)
