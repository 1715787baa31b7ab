"""Scheduler `median`."""

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuning.search.schedulers.base import EarlyStopping
from tuning.search.schedulers.replay import STEP, replaying

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler


class MedianScheduler(EarlyStopping):
    """Stops a trial whose best score is worse than the median of the others' running averages (Vizier, 2017)."""

    name: Literal["median"] = "median"
    min_trials: int = Field(3, ge=1, description="other trials that must have reached the step")

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":  # noqa: ARG002
        from ray.tune.schedulers import MedianStoppingRule

        return replaying(MedianStoppingRule)(
            time_attr=STEP,
            metric=metric,
            mode=mode,
            grace_period=self.first_rung(report_every_steps),
            min_samples_required=self.min_trials,
            min_time_slice=math.inf,  # never pause a trial until others catch up: it would lose its warm slot
        )
