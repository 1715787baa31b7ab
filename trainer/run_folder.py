"""What a run writes beside its checkpoints: config.yaml, provenance.json and metrics.jsonl."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from podium.core.config import RunConfig
from podium.core.files import write_json, write_text
from trainer.counters import Counters
from trainer.metrics_log import MetricsLog
from trainer.processes import is_first


class RunFolder:
    """The folder `out`. Nothing is in it before `open`. Of several processes the first alone writes."""

    def __init__(self, out: Path, config: RunConfig) -> None:
        self._out, self._config = out, config
        self._metrics = MetricsLog(out / "metrics.jsonl")
        self._logged_step: int | None = None  # None: not open

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
