"""The processes that Ray starts for a sweep. All of them inherit an environment variable, by which they are found."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

MARK = "PODIUM_RAY_SESSION"
MAX_ROUNDS, ROUND_S = 20, 0.1


def new_mark() -> str:
    return uuid4().hex


@contextmanager
def marked() -> Iterator[str]:
    """Yields a new mark, which the processes that are started in this context inherit.

    SIGHUP does not reach them: a terminal that closes sends it to them, too, while Podium still needs them.
    """
    os.environ[MARK] = mark = new_mark()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # children inherit this
    try:
        yield mark
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        del os.environ[MARK]


def kill_marked(mark: str) -> None:
    """Kill the processes with this mark. Needs /proc: elsewhere they end when they see that Ray is gone."""
    for _ in range(MAX_ROUNDS):  # one that is killed may just have started another
        if not (found := list(_with_mark(mark))):
            return
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(ROUND_S)


def _with_mark(mark: str) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is not ours
            if f"{MARK}={mark}\0".encode() in (folder / "environ").read_bytes():
                yield int(folder.name)
