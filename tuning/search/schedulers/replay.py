"""Ray's schedulers as a study needs them: they can be told what earlier sweeps reported."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuning.protocol import Job

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

STEP = "step"  # the key of a Tune result that counts the resource


def preload(scheduler: "TrialScheduler", jobs: Iterable[Job]) -> None:
    """Tell a new scheduler what an earlier sweep's trials reported, so that its rungs stand as they did."""
    for job in jobs:
        scheduler.on_trial_add(None, SchedulerTrial(f"earlier-{job.number}", job.to_config()))


@dataclass(frozen=True, eq=False)
class SchedulerTrial:
    """As much of a Tune trial as schedulers look at; like one, it is equal to itself only."""

    trial_id: str
    config: dict[str, str]


def replaying(kind: Any) -> Any:
    """One of Ray's schedulers with four things more; made here because importing Ray takes seconds.

    A protected trial is never stopped; a trial that comes with reports of an earlier sweep takes its place at the rungs
    that it has passed; its bracket follows from its number, so that it is in the same one after a resume; and what is
    reported again, because a trial's client died, counts once.
    """
    from ray.tune.schedulers import TrialScheduler

    class Replaying(kind):  # type: ignore[misc]
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

    return Replaying


def bracket_of(number: int, brackets: int) -> int:
    """Two trials in three to the first, two in three of the others to the second, and so on."""
    bracket = 0
    while number % 3 == 2 and bracket < brackets - 1:
        number, bracket = number // 3, bracket + 1
    return bracket
