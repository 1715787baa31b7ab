"""The processes that Ray starts for a sweep, found by what they inherit: an environment variable, and open log files.

Ray's agents write their titles over their environment, so the variable alone does not find all of them.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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


@dataclass(frozen=True)
class RayProcesses:
    """The processes with a mark, and those with an open file below `session`, the folder of a Ray of our own.

    On a cluster that others started there is no `session`, since its processes are not ours.
    """

    mark: str
    session: Path | None = None

    def kill(self) -> None:
        """Kill them all. Needs /proc: elsewhere they end when they see that Ray is gone."""
        for _ in range(MAX_ROUNDS):  # one that is killed may just have started another
            if not (found := list(self._alive())):
                return
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(ROUND_S)

    def _alive(self) -> Iterator[int]:
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended, or is not ours
                if int(folder.name) != os.getpid() and (self._has_mark(folder) or self._has_file(folder)):
                    yield int(folder.name)

    def _has_mark(self, process: Path) -> bool:
        return f"{MARK}={self.mark}\0".encode() in (process / "environ").read_bytes()

    def _has_file(self, process: Path) -> bool:
        return self.session is not None and any(_is_below(file, self.session) for file in (process / "fd").iterdir())


def _is_below(file: Path, folder: Path) -> bool:
    """Whether an open file is below `folder`."""
    with suppress(OSError):  # it has been closed
        return file.readlink().is_relative_to(folder)
    return False
