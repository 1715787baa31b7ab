"""A worker whose learning curves are a formula, so that sweeps run at full speed with real state and real files.

The score rises towards a maximum that depends on the learning rate (best at 1e-2). A rate above `CLIFF` diverges. A
checkpoint is a file with the step in it. Files in the study's folder request failures:

    crash-N    trial N raises at its second report
    die-N      the process of the worker that runs trial N ends, once, at the trial's second report
    doom-N     as die-N, but every time; the process prints a line first
    hang-N     trial N hangs at its second report
    stop-N     trial N asks the sweep to stop, once, at its second report
"""

import math
import os
import threading
from pathlib import Path

from ray import cloudpickle

from podium.core.config import RunConfig
from podium.core.files import read_json, to_line, write_json, write_text
from podium.core.records import Report
from podium.core.states import State
from trainer.run.metrics_log import MetricsLog
from tuning.study.files import asked_to_end, pointer_file, stop_file, trial_dir

CLIFF = 0.05


class AnalyticWorker:
    def __init__(self, study_folder: Path) -> None:
        self.folder = study_folder
        self.configs: dict[int, RunConfig] = {}
        self.steps: dict[int, int] = {}

    @staticmethod
    def check(space) -> dict[str, str]:  # noqa: ARG004
        return {"evalset_sha256": "e" * 64}

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:
        path = checkpoint or trial_dir(self.folder, trial_id) / "checkpoint.json"
        write_text(trial_dir(self.folder, trial_id) / "config.yaml", config.to_yaml())
        self.configs[trial_id] = config
        self.steps[trial_id] = read_json(path)["step"] if path.is_file() else 0
        self._log(trial_id, "attach", self.steps[trial_id])
        return trial_id

    def advance(self, slot: int, until_step: int) -> Report:
        config, first = self.configs[slot], self.steps[slot] == 0
        if not first:
            self._do_what_was_requested(slot)
        if asked_to_end(self.folder, slot):
            self.save(slot, pointer_file(self.folder, slot))
            return Report(step=self.steps[slot], state=State.STOPPED, metrics={})
        if config.train.learning_rate > CLIFF:
            return Report(step=5, state=State.DIVERGED, metrics={}, reason="loss exploded at step 5")
        self.steps[slot] = until_step
        self._log(slot, "advance", until_step)
        MetricsLog(trial_dir(self.folder, slot) / "metrics.jsonl").append({"step": until_step, "loss": 1 / until_step})
        self.save(slot, pointer_file(self.folder, slot))
        state = State.COMPLETE if until_step >= config.train.max_steps else State.RUNNING
        metrics = {"dev/answer_correctness": self.score(config, until_step), "train/loss": 1 / until_step}
        return Report(step=until_step, state=state, metrics=metrics)

    def save(self, slot: int, path: Path) -> None:
        checkpoint = trial_dir(self.folder, slot) / "checkpoint.json"
        write_json(checkpoint, {"step": self.steps[slot]})
        write_json(path, {"checkpoint": str(checkpoint), "step": self.steps[slot]})

    def detach(self, slot: int) -> None:
        self._log(slot, "detach", self.steps[slot])
        del self.configs[slot]

    def stats(self) -> dict[str, object]:
        return {"compiles": [], "compile_s": 0.0}

    @staticmethod
    def score(config: RunConfig, step: int) -> float:
        height = 100 * math.exp(-(math.log10(config.train.learning_rate / 1e-2) ** 2))
        return height * (1 - math.exp(-step / 30))

    def _do_what_was_requested(self, trial: int) -> None:
        if (self.folder / f"crash-{trial}").exists():
            raise RuntimeError(f"trial {trial} was requested to crash")
        if (self.folder / f"stop-{trial}").exists():
            (self.folder / f"stop-{trial}").unlink()
            stop_file(self.folder).write_text("a test asked for it")
        if (self.folder / f"die-{trial}").exists():
            (self.folder / f"die-{trial}").unlink()
            os._exit(1)
        if (self.folder / f"doom-{trial}").exists():
            print(f"trial {trial} is doomed", flush=True)
            os._exit(1)
        if (self.folder / f"hang-{trial}").exists():
            threading.Event().wait()

    def _log(self, trial: int, call: str, step: int) -> None:
        with (self.folder / "calls.jsonl").open("a") as file:
            file.write(to_line({"trial": trial, "call": call, "step": step, "pid": os.getpid()}))


# Ray's processes cannot import test modules by name.
cloudpickle.register_pickle_by_value(__import__("sys").modules[__name__])
