"""Where a run stands, and whether its newest step was a good one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A loss this many times that of a blind guess, or of the first step where that was worse, does not come back.
EXPLODED = 4.0
# One batch says little: the loss by which checkpoints are compared forgets a tenth with every step.
FORGOTTEN = 0.1


@dataclass
class Counters:
    """Travels in a run's checkpoints."""

    step: int = 0  # optimizer steps done
    tokens: int = 0  # trained on so far, without padding
    elapsed_s: float = 0.0  # in `advance`, compiling included, over all sessions
    first_loss: float | None = None
    loss: float | None = None  # of the newest step, before its update
    learning_rate: float | None = None
    smoothed_loss: float | None = None  # over about the last 1 / FORGOTTEN steps
    best_loss: float | None = None  # the lowest smoothed loss of a checkpoint of this run
    best_step: int | None = None
    overflows: int = 0  # steps that float16 gradients were too large for: nothing was learned

    def add(self, step: int, values: Mapping[str, Any], blind_loss: float) -> str | None:
        """Count a step by the metrics of trainer/step/train_step.py, or say what is wrong with it and count nothing.

        `blind_loss` is that of a model that knows nothing.
        """
        loss: float = values["loss"]
        limit = EXPLODED * max(blind_loss, self.first_loss or 0.0)
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
        self.smoothed_loss = (1 - FORGOTTEN) * before + FORGOTTEN * loss
        return None

    def note_saved(self) -> None:
        """This step is being saved: it may be the best so far."""
        if self.smoothed_loss is not None and self.smoothed_loss < (
            math.inf if self.best_loss is None else self.best_loss
        ):
            self.best_loss, self.best_step = self.smoothed_loss, self.step
