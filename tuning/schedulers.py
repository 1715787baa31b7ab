"""Schedulers: which trials go on. One class each, holding its options and building Ray Tune's object.

The resource is training steps, and every trial's learning-rate schedule spans all of them: stopping at a rung is a
truncation.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from podium.core.config_sections import Section
from tuning.messages import Job
from tuning.variants import variant_name

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

STEP = "step"  # the key of a Tune result that counts the resource


class BaseOptions(Section):
    """What all have in common."""

    def refusal(self, report_every_steps: int, max_steps: int) -> str | None:  # noqa: ARG002
        """Why it cannot work with so many steps, in words that follow `scheduler.`"""
        return None


class NoScheduler(BaseOptions):
    """Every trial runs to the end."""

    name: Literal["none"] = "none"

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":  # noqa: ARG002
        from ray.tune.schedulers import FIFOScheduler

        return FIFOScheduler()


class EarlyStopping(BaseOptions):
    """No trial is stopped before `grace_period` steps."""

    grace_period: int | None = Field(None, ge=1, description="steps; those to the first report when not given")

    def refusal(self, report_every_steps: int, max_steps: int) -> str | None:
        first = self.first_rung(report_every_steps)
        if report_every_steps <= first <= max_steps:
            return None
        return (
            f"grace_period={first}, must be from report_every_steps={report_every_steps} "
            f"to the most steps a trial can have, {max_steps}"
        )

    def first_rung(self, report_every_steps: int) -> int:
        return self.grace_period or report_every_steps


class AshaScheduler(EarlyStopping):
    """Asynchronous successive halving (Li et al. 2018, arXiv 1810.05934)."""

    name: Literal["asha"] = "asha"
    reduction_factor: float = Field(3, gt=1, description="one trial in this many goes on from a rung to the next")

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":
        return _halving(self, metric, mode, self.first_rung(report_every_steps), max_steps, brackets=1)


class HyperbandScheduler(EarlyStopping):
    """ASHA with several brackets (Li et al. 2016, arXiv 1603.06560): some trials have their first rung later, in case
    early scores mislead. It is Ray's ASHA too: its HyperBand stopped 4 of 34 trials behind a searcher, ASHA 24.
    """

    name: Literal["hyperband"] = "hyperband"
    reduction_factor: float = Field(3, gt=1, description="one trial in this many goes on from a rung to the next")
    brackets: int = Field(2, ge=1, description="each has one rung less than the one before; most trials in the first")

    def refusal(self, report_every_steps: int, max_steps: int) -> str | None:
        rungs, rung = 0, float(self.first_rung(report_every_steps))
        while rung < max_steps:  # one at the end stops nothing
            rungs, rung = rungs + 1, rung * self.reduction_factor
        if super().refusal(report_every_steps, max_steps) or self.brackets <= max(1, rungs):
            return super().refusal(report_every_steps, max_steps)
        return f"brackets={self.brackets}, must be <= {rungs}, the rungs below {max_steps} steps"

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":
        return _halving(self, metric, mode, self.first_rung(report_every_steps), max_steps, self.brackets)


class MedianScheduler(EarlyStopping):
    """Stops a trial whose best score is worse than the median of the others' running averages (Vizier, 2017)."""

    name: Literal["median"] = "median"
    min_trials: int = Field(3, ge=1, description="others that have come as far, before anything is stopped")

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":  # noqa: ARG002
        from ray.tune.schedulers import MedianStoppingRule

        return _remembering(MedianStoppingRule)(
            time_attr=STEP,
            metric=metric,
            mode=mode,
            grace_period=self.first_rung(report_every_steps),
            min_samples_required=self.min_trials,
            min_time_slice=math.inf,  # never pause a trial for want of others: it would give up its warm slot
        )


class PbtScheduler(BaseOptions):
    """Population-based training: nobody ends early, but the worst go on from the best. See tuning/population.py."""

    name: Literal["pbt"] = "pbt"
    perturb_every_steps: int | None = Field(None, ge=1, description="steps; those to a report when not given")
    quantile: float = Field(0.25, gt=0, le=0.5, description="the share that copies, and the share that is copied")
    resample_probability: float = Field(0.25, ge=0, le=1, description="of drawing a hyperparameter anew")
    factors: tuple[float, float] = Field((0.8, 1.2), description="what it is multiplied with otherwise")

    @field_validator("factors")
    @classmethod
    def _down_and_up(cls, factors: tuple[float, float]) -> tuple[float, float]:
        if not 0 < factors[0] < 1 < factors[1]:
            raise ValueError("must be one between 0 and 1, and one above 1")
        return factors

    def refusal(self, report_every_steps: int, max_steps: int) -> str | None:
        interval = self.interval(report_every_steps)
        if interval % report_every_steps == 0 and interval < max_steps:
            return None
        return (
            f"perturb_every_steps={interval}, must be a multiple of report_every_steps={report_every_steps} "
            f"and less than the {max_steps} steps of a trial"
        )

    def interval(self, report_every_steps: int) -> int:
        return self.perturb_every_steps or report_every_steps

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":
        """What Tune sees: one that stops nothing. The population decides before it hands out a trial's next part."""
        return NoScheduler().build(metric, mode, report_every_steps, max_steps)


Scheduler = Annotated[
    Annotated[AshaScheduler, Tag("asha")]
    | Annotated[HyperbandScheduler, Tag("hyperband")]
    | Annotated[MedianScheduler, Tag("median")]
    | Annotated[PbtScheduler, Tag("pbt")]
    | Annotated[NoScheduler, Tag("none")],
    Discriminator(
        variant_name,
        custom_error_type="scheduler",
        custom_error_message="must be one of asha, hyperband, median, pbt, none",
    ),
]


def preload(scheduler: "TrialScheduler", jobs: Iterable[Job]) -> None:
    """Tell a new scheduler what an earlier sweep's trials reported, so that its rungs stand as they did."""
    for job in jobs:
        scheduler.on_trial_add(None, TrialStandIn(f"earlier-{job.number}", job.to_config()))


@dataclass(frozen=True, eq=False)
class TrialStandIn:
    """As much of a Tune trial as schedulers look at; like one, it is equal to itself only."""

    trial_id: str
    config: dict[str, str]


def _halving(
    options: AshaScheduler | HyperbandScheduler, metric: str, mode: str, first_rung: int, max_steps: int, brackets: int
) -> "TrialScheduler":
    from ray.tune.schedulers import AsyncHyperBandScheduler

    return _remembering(AsyncHyperBandScheduler)(
        time_attr=STEP,
        metric=metric,
        mode=mode,
        max_t=max_steps,
        grace_period=first_rung,
        reduction_factor=options.reduction_factor,
        brackets=brackets,
    )


def _remembering(kind: Any) -> Any:
    """One of Ray's schedulers with four things more; made here because importing Ray takes seconds.

    A protected trial is never stopped; a trial that comes with reports of an earlier sweep takes its place at the rungs
    that it has passed; its bracket follows from its number, so that it is in the same one after a resume; and what is
    reported again, because a trial's client died, counts once.
    """
    from ray.tune.schedulers import TrialScheduler

    class Remembering(kind):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._heard: set[tuple[Any, int]] = set()

        def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
            super().on_trial_add(tune_controller, trial)
            job = Job.from_config(trial.config)
            if brackets := getattr(self, "_brackets", None):
                self._trial_info[trial.trial_id] = brackets[bracket_of(job.number, len(brackets))]
            for step, value in sorted(job.reports.items()):
                if job.last_report and step == job.last_report.step:
                    continue  # it comes again as a result, to be acted upon
                self._decide(tune_controller, trial, {STEP: step, job.metric: value})

        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            decision = self._decide(tune_controller, trial, result)
            return TrialScheduler.CONTINUE if Job.from_config(trial.config).protected else decision

        def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
            if self._metric in result:  # a diverged trial has none, and no place among the others
                super().on_trial_complete(tune_controller, trial, result)

        def _decide(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            if (report := (trial, result[STEP])) in self._heard:
                return str(TrialScheduler.CONTINUE)
            self._heard.add(report)
            decision: str = super().on_trial_result(tune_controller, trial, result)
            if stopped := getattr(self, "_stopped_trials", None):  # the median rule wants to hear no more of these
                stopped.discard(trial)
            return decision

    return Remembering


def bracket_of(number: int, brackets: int) -> int:
    """Two trials in three to the first, two in three of the others to the second, and so on."""
    bracket = 0
    while number % 3 == 2 and bracket < brackets - 1:
        number, bracket = number // 3, bracket + 1
    return bracket
