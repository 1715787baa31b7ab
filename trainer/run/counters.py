"""The progress of a run, and the check for divergence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A run has diverged if its loss exceeds the loss of a uniform guess, or of the first step if higher, by this factor.
DIVERGENCE_FACTOR = 4.0
# The loss of one batch is noisy, so checkpoints are compared by an exponential moving average with this weight.
SMOOTHING = 0.1


@dataclass
class Counters:
    """Counts of a run, over all its sessions. Saved in its checkpoints."""

    step: int = 0  # optimizer steps done
    tokens: int = 0  # trained on, without padding
    elapsed_s: float = 0.0  # spent in `advance`, compilation included
    first_loss: float | None = None
    loss: float | None = None  # of the newest step, before its update
    learning_rate: float | None = None
    smoothed_loss: float | None = None  # over about the last 1 / SMOOTHING steps
    best_loss: float | None = None  # the lowest smoothed loss of a checkpoint of this run
    best_step: int | None = None
    overflows: int = 0  # steps without an update, because float16 gradients overflowed

    def add(self, step: int, values: Mapping[str, Any], uniform_loss: float) -> str | None:
        """Count a step with the metrics of trainer/step/train_step.py. If it diverged, count nothing and return why.

        `uniform_loss` is the loss of a model that gives every token the same probability.
        """
        loss: float = values["loss"]
        limit = DIVERGENCE_FACTOR * max(uniform_loss, self.first_loss or 0.0)
        if not values["finite"] or (self.first_loss is not None and loss > limit):
            rule = "loss and gradient must be finite"
            if values["finite"]:
                rule = f"loss must stay below {limit:.1f}"
            elif math.isfinite(loss) and math.isfinite(values["grad_norm"]):
                rule = "the update is not finite; lower train.learning_rate"
            return f"diverged at step {step}: loss {loss:.4g}, gradient norm {values['grad_norm']:.4g}; {rule}"
        self.first_loss = loss if self.first_loss is None else self.first_loss
        self.step, self.loss, self.learning_rate = step, loss, values["learning_rate"]
        self.tokens += values["n_tokens"]
        self.overflows += values["overflow"]
        before = loss if self.smoothed_loss is None else self.smoothed_loss
        self.smoothed_loss = (1 - SMOOTHING) * before + SMOOTHING * loss
        return None

    def note_saved(self) -> None:
        """Note that this step is being saved, which makes it a candidate for the best checkpoint."""
        if self.smoothed_loss is not None and self.smoothed_loss < (
            math.inf if self.best_loss is None else self.best_loss
        ):
            self.best_loss, self.best_step = self.smoothed_loss, self.step
