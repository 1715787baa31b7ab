"""The files that a run writes beside its checkpoints: config.yaml, provenance.json and metrics.jsonl."""

import fcntl
import os
import weakref
from dataclasses import asdict
from pathlib import Path
from typing import Any

from podium.core.errors import PodiumError, UsageError
from podium.core.files import write_json, write_text
from podium.core.resolved import ResolvedConfig
from podium.core.run_files import CONFIG, METRICS, PROVENANCE
from trainer.device.processes import is_first
from trainer.run.counters import Counters
from trainer.run.metrics_log import MetricsLog


class Claim:
    """A lock on the folder of a run against other writers, which leaves no lock file."""

    def __init__(self, out: Path) -> None:
        """Take the lock. It is held until `close` or the end of this process.

        Raises:
            UsageError: another run, in this process or in another one, has it.
            PodiumError: the folder cannot be created or read.
        """
        try:
            out.mkdir(parents=True, exist_ok=True)
            folder = os.open(out, os.O_RDONLY)
        except OSError as error:
            raise PodiumError(f"cannot write {out}: {error.strerror or error}") from error
        self.close = weakref.finalize(self, os.close, folder)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise UsageError(f"{out} is being written by another run; wait for it, or choose another folder") from None
        except OSError:
            self.close()  # a network file system that cannot lock folders


class RunFolder:
    """The folder `out` of a run. Nothing is written before `open`. In a pod, only the first process writes."""

    def __init__(self, out: Path, config: ResolvedConfig) -> None:
        self._out, self._config = out, config
        self._metrics = MetricsLog(out / METRICS)
        self._logged_step: int | None = None  # None until `open`
        self._claim: Claim | None = None

    def claim(self) -> None:
        """Lock the folder until `close`. Raises as `Claim` does."""
        if not self._claim and is_first():
            self._claim = Claim(self._out)

    def close(self) -> None:
        """Release the claim."""
        if self._claim:
            self._claim.close()
            self._claim = None

    def open(self, step: int, provenance: dict[str, Any]) -> None:
        """Write config and provenance for a session that continues from `step`, and drop metrics of later steps
        and damaged ones.

        Raises:
            PodiumError: a file cannot be written.
        """
        if not is_first():
            return
        self._metrics.cut(lambda logged: logged <= step and self.is_log_step(logged))
        write_text(self._out / CONFIG, self._config.to_yaml())
        write_json(self._out / PROVENANCE, provenance)
        # Lower than `step` if its line was dropped, which comes back if this session trains no step.
        self._logged_step = max((line.get("step", 0) for line in self._metrics.lines()), default=0)

    def damage(self) -> str | None:
        """Which lines of metrics.jsonl are damaged; `open` drops them, and keeps the file under another name."""
        if not (numbers := self._metrics.damaged()):
            return None
        plural = "line" if len(numbers) == 1 else "lines"
        return f"{self._metrics.path}: {plural} {', '.join(map(str, numbers))} damaged, and left out"

    def is_log_step(self, step: int) -> bool:
        """Whether this step is logged: every train.log_every_steps, and the last step."""
        return step % self._config.train.log_every_steps == 0 or step == self._config.train.max_steps

    def log(self, counters: Counters, elapsed_s: float) -> None:
        """Log the newest step, unless it is logged or the folder is not open. Raises PodiumError as `open` does."""
        if self._logged_step is not None and counters.step > self._logged_step:
            facts = asdict(counters)
            line = {name: facts[name] for name in ("step", "loss", "learning_rate", "tokens")}
            self._metrics.append({**line, "elapsed_s": round(elapsed_s, 3), "phase": "train"})
            self._logged_step = counters.step
