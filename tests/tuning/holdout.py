"""A worker for confirmation runs that answers by chance, so that promotions run at full speed with real files.

It is right with a probability that grows by `slope` per 0.001 of learning rate, from 0.5 at 0.001. A learning rate
above `cliff` diverges. `trained` lists the (trial, seed) pairs that ran in this process.
"""

import random
from pathlib import Path

from ray import cloudpickle

from eval.scorecard import score_predictions
from eval.sets.evalset import load_evalset
from podium.core.config import RunConfig
from podium.core.files import write_json
from podium.core.records import Prediction, Report
from podium.core.run_files import SCORECARD
from podium.core.states import State
from tuning.study.files import asked_to_end, trial_dir


class HoldoutByChance:
    slope = 0.1
    cliff = 1.0
    trained: list[tuple[int, int]] = []  # noqa: RUF012  tests replace it

    def __init__(self, study_folder: Path) -> None:
        self.folder = study_folder
        self.configs: dict[int, RunConfig] = {}

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:  # noqa: ARG002
        self.configs[trial_id] = config
        return trial_id

    def advance(self, slot: int, until_step: int) -> Report:
        config = self.configs[slot]
        rate = config.train.learning_rate
        if asked_to_end(self.folder, slot):
            return Report(step=0, state=State.STOPPED, metrics={})
        if rate > self.cliff:
            return Report(step=1, state=State.DIVERGED, metrics={}, reason="loss exploded at step 1")
        self.trained.append((slot, config.train.seed))
        card = self._answer(config, 0.5 + self.slope * (1000 * rate - 1))
        write_json(trial_dir(self.folder, slot) / SCORECARD, card.model_dump(mode="json"))
        metrics = {"holdout/answer_correctness": card.answer_correctness}
        return Report(step=until_step, state=State.COMPLETE, metrics=metrics)

    @staticmethod
    def _answer(config: RunConfig, share: float):
        samples = load_evalset(config.eval.evalset).split("holdout")
        rng = random.Random(f"{config.train.learning_rate}/{config.train.seed}")
        texts = [sample.expected_answer if rng.random() < share else "none" for sample in samples]
        found = [Prediction(id=sample.id, text=text) for sample, text in zip(samples, texts, strict=True)]
        return score_predictions(samples, found)

    def detach(self, slot: int) -> None:
        del self.configs[slot]

    def stats(self) -> dict[str, object]:
        return {"compiles": [], "compile_s": 0.0}


# Ray's processes cannot import test modules by name.
cloudpickle.register_pickle_by_value(__import__("sys").modules[__name__])
