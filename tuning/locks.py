"""Who works on a study. The system frees a process's lock however it ends.

Two processes that write to one trial would spoil it, and a driver that was killed leaves workers that go on for a
moment.
"""

import fcntl
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

from podium.core.clock import Deadline
from podium.core.errors import PodiumError

WAIT_S = 30.0


class WorkersLock:
    """Shared by the worker processes of a study; a driver that begins waits until there are none."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "workers.lock"
        self._file: IO[str] | None = None

    def share(self) -> Self:
        """Hold it for as long as this object is held."""
        self._file = self._path.open("a+")
        fcntl.flock(self._file, fcntl.LOCK_SH)
        return self

    def wait_for_none(
        self, deadline: Deadline | None = None, pause: Callable[[], None] = lambda: time.sleep(0.1)
    ) -> None:
        """Until no worker of an earlier sweep is left. Raises PodiumError when that takes too long."""
        deadline = deadline or Deadline.after(WAIT_S)
        with self._path.open("a+") as file:
            while True:
                try:
                    return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if deadline.expired():
                        raise PodiumError(
                            f"study {self._path.parent.name!r}: workers of an earlier sweep still run after "
                            f"{deadline.elapsed_s():.0f} s; end those processes, then resume"
                        ) from None
                pause()
