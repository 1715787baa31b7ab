"""Scheduler `hyperband`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuning.search.schedulers.asha import halving
from tuning.search.schedulers.base import EarlyStopping

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler


class HyperbandScheduler(EarlyStopping):
    """ASHA with several brackets (Li et al. 2016, arXiv 1603.06560): some trials have a later first rung, in case early
    scores mislead."""

    # Built from Ray's ASHA: behind a searcher, Ray's HyperBand stopped 4 of 34 trials, ASHA with brackets 24.

    name: Literal["hyperband"] = "hyperband"
    reduction_factor: float = Field(3, gt=1, description="one trial in this many continues to the next rung")
    brackets: int = Field(2, ge=1, description="each has one rung less than the one before; the first has most trials")

    def refusal(self, report_every_steps: int, max_steps: int) -> str | None:
        rungs, rung = 0, float(self.first_rung(report_every_steps))
        while rung < max_steps:  # a rung at the last step stops nothing
            rungs, rung = rungs + 1, rung * self.reduction_factor
        if super().refusal(report_every_steps, max_steps) or self.brackets <= max(1, rungs):
            return super().refusal(report_every_steps, max_steps)
        return f"brackets={self.brackets}, must be <= {rungs}, the rungs below {max_steps} steps"

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":
        return halving(
            metric, mode, self.first_rung(report_every_steps), max_steps, self.reduction_factor, self.brackets
        )
