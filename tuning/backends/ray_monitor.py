"""Notices when Ray is lost: its control server (GCS) or the raylet of this node has died.

Ray's driver waits a minute for the one, and for ever for the other. docs/decisions/008-ray-is-lost.md has the choices.
"""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray.tune import Callback

from podium.core.redaction import one_line
from tuning.study.files import cannot_continue, request_stop
from tuning.workers import cluster
from tuning.workers.ray_processes import RayProcesses

CHECK_EVERY_S = 1.0
PATIENCE_S, CLUSTER_PATIENCE_S = 1.5, 10.0  # without an answer; the control server of a cluster may be restarted
CLIENTS_DIED_S = 10.0
GRACE_S = 12.0  # for the main thread to end the sweep in order


class RayLost(BaseException):
    """Not an Exception, because Tune would wait for trials that cannot end."""


class RayMonitor(Callback):  # type: ignore[misc]
    """A thread that connects to the control server and the raylet once a second.

    When one of them no longer answers, the monitor, which is a callback of Tune, raises RayLost. If the sweep waits for
    Ray elsewhere and so does not end, the thread ends the process with one line and exit code 1.
    """

    def __init__(self, started: RayProcesses | None, on_cluster: bool) -> None:
        """`started`: the processes that Ray started for this sweep; they are killed when Ray is lost."""
        self.folder: Path | None = None  # of the study, once there is one
        self.lost = ""  # the reason, once Ray is lost
        self._started = started
        self._patience_s = {
            cluster.control_server(): CLUSTER_PATIENCE_S if on_cluster else PATIENCE_S,
            cluster.raylet(): PATIENCE_S,
        }
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ray-monitor", daemon=True)
        self._thread.start()

    def on_step_begin(self, **_: Any) -> None:
        if self.lost:
            raise RayLost(self.lost)

    def confirm(self, clients_died: bool) -> None:
        """Return once both answer. Raises RayLost if they do not: then it is not a trial that failed.

        A raylet that is about to end still answers while its clients die, so after that both must answer for a while.
        """
        for_s = CLIENTS_DIED_S if clients_died else 0.0
        since_s = time.monotonic()
        while True:
            self.on_step_begin()
            if not all(server.answers() for server in self._patience_s):
                since_s = time.monotonic()
            elif time.monotonic() - since_s >= for_s:
                return
            self._ended.wait(CHECK_EVERY_S)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks with its own records, which are never read

    def _watch(self) -> None:
        answered_s = dict.fromkeys(self._patience_s, time.monotonic())
        while not self.lost and not self._ended.wait(CHECK_EVERY_S):
            for server, patience_s in self._patience_s.items():
                if server.answers():
                    answered_s[server] = time.monotonic()
                elif time.monotonic() - answered_s[server] > patience_s and not self.lost:
                    self._give_up(f"{server.name} no longer answers at {server.host}:{server.port}")

    def _give_up(self, reason: str) -> None:
        self.lost = reason
        if self._started:
            self._started.kill()
        if not self._ended.wait(GRACE_S):
            self._quit()

    def _quit(self) -> None:
        message = self.lost
        if self.folder:
            request_stop(self.folder, self.lost, failed=True)
            message = str(cannot_continue(self.folder.name, self.lost))
        with suppress(OSError):  # the terminal may be gone
            os.write(2, f"error: {one_line(message)}\n".encode())
        os._exit(1)
