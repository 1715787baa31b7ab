"""Ray's schedulers, extended so that they can replay the reports of earlier sweeps."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuning.protocol import Job

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

STEP = "step"  # the key of a Tune result that holds the resource


def preload(scheduler: "TrialScheduler", jobs: Iterable[Job]) -> None:
    """Add the reports of an earlier sweep's trials to a new scheduler, which restores its rungs."""
    for job in jobs:
        scheduler.on_trial_add(None, SchedulerTrial(f"earlier-{job.number}", job.to_config()))


@dataclass(frozen=True, eq=False)
class SchedulerTrial:
    """The part of a Tune trial that schedulers read. Like Tune's, it equals only itself."""

    trial_id: str
    config: dict[str, str]


def replaying(kind: Any) -> Any:
    """A subclass of one of Ray's schedulers, with four changes.

    - A protected trial is never stopped.
    - A trial with reports of an earlier sweep takes its place at the rungs that it has passed.
    - A trial's bracket is a function of its number, so it is the same after a resume.
    - A step that is reported again, because a trial's client died, counts once.
    """
    from ray.tune.schedulers import TrialScheduler  # here, because importing Ray takes seconds

    class Replaying(kind):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._counted: set[tuple[Any, int]] = set()

        def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
            super().on_trial_add(tune_controller, trial)
            job = Job.from_config(trial.config)
            if brackets := getattr(self, "_brackets", None):
                self._trial_info[trial.trial_id] = brackets[bracket_of(job.number, len(brackets))]
            for step, value in sorted(job.reports.items()):
                if job.last_report and step == job.last_report.step:
                    continue  # this one is reported again, as a result that the scheduler decides on
                self._decide(tune_controller, trial, {STEP: step, job.metric: value})

        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            decision = self._decide(tune_controller, trial, result)
            return TrialScheduler.CONTINUE if Job.from_config(trial.config).protected else decision

        def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
            if self._metric in result:  # a diverged trial has no score to compare
                super().on_trial_complete(tune_controller, trial, result)

        def _decide(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            if (report := (trial, result[STEP])) in self._counted:
                return str(TrialScheduler.CONTINUE)
            self._counted.add(report)
            decision: str = super().on_trial_result(tune_controller, trial, result)
            if stopped := getattr(self, "_stopped_trials", None):  # the median rule ignores later reports of these
                stopped.discard(trial)
            return decision

    return Replaying


def bracket_of(number: int, brackets: int) -> int:
    """The bracket of a trial: the first for two trials in three, the second for two in three of the rest, and so on."""
    bracket = 0
    while number % 3 == 2 and bracket < brackets - 1:
        number, bracket = number // 3, bracket + 1
    return bracket
