"""What a run writes beside its checkpoints: config.yaml, provenance.json and metrics.jsonl."""

import fcntl
import os
import weakref
from dataclasses import asdict
from pathlib import Path
from typing import Any

from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.files import write_json, write_text
from trainer.device.processes import is_first
from trainer.run.counters import Counters
from trainer.run.metrics_log import MetricsLog


class RunFolder:
    """The folder `out`. Nothing is in it before `open`. Of several processes the first alone writes."""

    def __init__(self, out: Path, config: RunConfig) -> None:
        self._out, self._config = out, config
        self._metrics = MetricsLog(out / "metrics.jsonl")
        self._logged_step: int | None = None  # None: not open
        self._release: weakref.finalize | None = None  # of the claim

    def claim(self) -> None:
        """Until `close`, or the end of this process, nobody else writes here. A claim leaves no file.

        Raises:
            UsageError: another run, of this process or another, has claimed it.
            PodiumError: the folder cannot be made or read.
        """
        if self._release or not is_first():
            return
        try:
            self._out.mkdir(parents=True, exist_ok=True)
            folder = os.open(self._out, os.O_RDONLY)
        except OSError as error:
            raise PodiumError(f"cannot write {self._out}: {error.strerror or error}") from error
        self._release = weakref.finalize(self, os.close, folder)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise UsageError(
                f"{self._out} is being written by another run; wait for it, or choose another folder"
            ) from None
        except OSError:
            self.close()  # a network file system without locks for folders

    def close(self) -> None:
        if self._release:
            self._release()
            self._release = None

    def open(self, step: int, provenance: dict[str, Any]) -> None:
        """For a session that goes on from `step`: lines that an earlier one wrote beyond it will be made again.

        Raises:
            PodiumError: the disk refused a file.
        """
        if not is_first():
            return
        self._metrics.cut(lambda logged: logged <= step and self.is_log_step(logged))
        write_text(self._out / "config.yaml", self._config.to_yaml())
        write_json(self._out / "provenance.json", provenance)
        self._logged_step = step

    def is_log_step(self, step: int) -> bool:
        return step % self._config.train.log_every_steps == 0 or step == self._config.train.max_steps

    def log(self, counters: Counters, elapsed_s: float) -> None:
        """The line of the newest step, unless it is there or nothing is open. Raises PodiumError as `open` does."""
        if self._logged_step is not None and counters.step > self._logged_step:
            facts = asdict(counters)
            line = {name: facts[name] for name in ("step", "loss", "learning_rate", "tokens")}
            self._metrics.append({**line, "elapsed_s": round(elapsed_s, 3), "phase": "train"})
            self._logged_step = counters.step
