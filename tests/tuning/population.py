"""A worker for populations. Its score, the level, is a state that training raises and a checkpoint holds.

Each step raises the level by a share of its distance to the maximum of the learning rate. A member that copies another
one continues from that one's level. rates.jsonl lists the steps trained, with their learning rates.
"""

import math
from pathlib import Path

from ray import cloudpickle

from podium.core.config import RunConfig
from podium.core.files import read_json, to_line, write_json, write_text
from podium.core.records import Report
from podium.core.states import State
from tests.tuning.analytic import CLIFF, AnalyticWorker
from tuning.study.files import stop_file, trial_dir


class PopulationWorker(AnalyticWorker):
    def __init__(self, study_folder: Path) -> None:
        super().__init__(study_folder)
        self.levels: dict[int, float] = {}

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:
        folder = trial_dir(self.folder, trial_id)
        write_text(folder / "config.yaml", config.to_yaml())
        found = [read_json(path) for path in (checkpoint, folder / "checkpoint.json") if path and path.is_file()]
        state = max(found, key=lambda one: one["step"], default={"step": 0, "level": 0.0})  # the first, if equal
        self.configs[trial_id], self.steps[trial_id], self.levels[trial_id] = config, state["step"], state["level"]
        self._log(trial_id, "attach", state["step"])
        return trial_id

    def advance(self, slot: int, until_step: int) -> Report:
        config, first = self.configs[slot], self.steps[slot] == 0
        if not first:
            self._do_what_was_requested(slot)
        if stop_file(self.folder).exists():
            self.save(slot, trial_dir(self.folder, slot) / "unused.json")
            return Report(step=self.steps[slot], state=State.STOPPED, metrics={})
        for step in range(self.steps[slot], until_step):
            rate = config.at(step).train.learning_rate
            if rate > CLIFF:
                return Report(step=step, state=State.DIVERGED, metrics={}, reason=f"loss exploded at step {step}")
            height = 100 * math.exp(-(math.log10(rate / 1e-2) ** 2))
            self.levels[slot] += (height - self.levels[slot]) / 30
            self._note(slot, step, rate)
        self.steps[slot] = until_step
        state = State.COMPLETE if until_step >= config.train.max_steps else State.RUNNING
        return Report(step=until_step, state=state, metrics={"dev/answer_correctness": self.levels[slot]})

    def save(self, slot: int, path: Path) -> None:
        checkpoint = trial_dir(self.folder, slot) / "checkpoint.json"
        write_json(checkpoint, {"step": self.steps[slot], "level": self.levels[slot]})
        write_json(path, {"checkpoint": str(checkpoint), "step": self.steps[slot]})

    def _note(self, trial: int, step: int, rate: float) -> None:
        with (self.folder / "rates.jsonl").open("a") as file:
            file.write(to_line({"trial": trial, "step": step, "rate": rate}))


# Ray's processes cannot import test modules by name.
cloudpickle.register_pickle_by_value(__import__("sys").modules[__name__])
