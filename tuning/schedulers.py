"""Schedulers: which trials go on. One class each, holding its options and building Ray Tune's object.

The resource is training steps, and every trial's learning-rate schedule spans all of them: stopping at a rung is a
truncation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from podium.core.config import Section
from tuning.messages import Job
from tuning.variants import variant_name

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

STEP = "step"  # the key of a Tune result that counts the resource


class NoScheduler(Section):
    """Every trial runs to the end."""

    name: Literal["none"] = "none"

    def first_rung(self, report_every_steps: int) -> int | None:  # noqa: ARG002
        return None

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":  # noqa: ARG002
        from ray.tune.schedulers import FIFOScheduler

        return FIFOScheduler()


class AshaScheduler(Section):
    """Asynchronous successive halving (Li et al. 2018, arXiv 1810.05934)."""

    name: Literal["asha"] = "asha"
    grace_period: int | None = Field(None, ge=1, description="steps at the first rung; one report's when not given")
    reduction_factor: float = Field(3, gt=1, description="one trial in this many goes on from a rung to the next")

    def first_rung(self, report_every_steps: int) -> int | None:
        return self.grace_period or report_every_steps

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":
        return _asha_class()(
            time_attr=STEP,
            metric=metric,
            mode=mode,
            max_t=max_steps,
            grace_period=self.first_rung(report_every_steps),
            reduction_factor=self.reduction_factor,
        )


Scheduler = Annotated[
    Annotated[AshaScheduler, Tag("asha")] | Annotated[NoScheduler, Tag("none")],
    Discriminator(variant_name, custom_error_type="scheduler", custom_error_message="must be one of asha, none"),
]


def preload(scheduler: "TrialScheduler", jobs: Iterable[Job]) -> None:
    """Tell a new scheduler what an earlier sweep's trials reported, so that its rungs stand as they did."""
    for job in jobs:
        scheduler.on_trial_add(None, TrialStandIn(f"earlier-{job.number}", job.to_config()))


@dataclass(frozen=True)
class TrialStandIn:
    """As much of a Tune trial as schedulers look at."""

    trial_id: str
    config: dict[str, str]


def _asha_class() -> type:
    """Ray's ASHA with two things more; made here because importing Ray takes seconds.

    A protected trial is never stopped, and a trial that comes with reports of an earlier sweep takes its place at the
    rungs that it has passed.
    """
    from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

    class ProtectingAsha(AsyncHyperBandScheduler):  # type: ignore[misc]
        def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
            super().on_trial_add(tune_controller, trial)
            job = Job.from_config(trial.config)
            for step, value in sorted(job.reports.items()):
                super().on_trial_result(tune_controller, trial, {STEP: step, job.metric: value})

        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            decision: str = super().on_trial_result(tune_controller, trial, result)
            return TrialScheduler.CONTINUE if Job.from_config(trial.config).protected else decision

    return ProtectingAsha
