"""Scheduler `asha`, the default."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuning.search.schedulers.base import EarlyStopping
from tuning.search.schedulers.replay import STEP, replaying

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler


class AshaScheduler(EarlyStopping):
    """Asynchronous successive halving (Li et al. 2018, arXiv 1810.05934)."""

    name: Literal["asha"] = "asha"
    reduction_factor: float = Field(3, gt=1, description="one trial in this many continues to the next rung")

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":
        return halving(metric, mode, self.first_rung(report_every_steps), max_steps, self.reduction_factor, brackets=1)


def halving(
    metric: str, mode: str, first_rung: int, max_steps: int, reduction_factor: float, brackets: int
) -> "TrialScheduler":
    from ray.tune.schedulers import AsyncHyperBandScheduler

    return replaying(AsyncHyperBandScheduler)(
        time_attr=STEP,
        metric=metric,
        mode=mode,
        max_t=max_steps,
        grace_period=first_rung,
        reduction_factor=reduction_factor,
        brackets=brackets,
    )
