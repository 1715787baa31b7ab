"""Fits the number of steps to the time budget: measures a few steps, then fixes the number in the config, so that the
run can be repeated."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.resolved import ResolvedConfig
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun

WARM_UP, MEASURED = 2, 8  # steps; the first ones are slower, since they also fill caches
SHARE = 0.95  # of the remaining time; the rest is for checkpoints and for slower steps


@dataclass(frozen=True)
class FittedSchedule:
    config: ResolvedConfig  # with the number of steps fixed
    step_s: float | None  # seconds per step; None if nothing could be measured


def fit_schedule(
    config: ResolvedConfig, library: ProgramLibrary, deadline: Deadline, stop: Callable[[], bool] = lambda: False
) -> FittedSchedule:
    """Lower train.max_steps to what fits before `deadline`, and the warm-up in proportion.

    The measured steps are discarded: the run itself starts at step 0 with the final schedule.

    Raises:
        UsageError: the deadline has no time budget, or as `TrainingRun.advance` does.
    """
    if deadline.budget_s is None:
        raise UsageError(
            "train.fit_schedule=true without a time budget: there is no deadline to fit to; give --time-budget"
        )
    train = config.train
    step_s = _measure(config, library, deadline, stop)
    steps = train.max_steps
    if step_s:
        steps = max(1, min(steps, int(SHARE * deadline.remaining_s() / step_s)))
    fixed = {
        "train.fit_schedule": False,
        "train.max_steps": steps,
        "train.warmup_steps": train.warmup_steps * steps // train.max_steps,
    }
    return FittedSchedule(config.with_overrides(fixed), step_s)


def with_fitted_steps(config: ResolvedConfig, earlier: RunConfig) -> ResolvedConfig:
    """`config` with the numbers of steps that an earlier session of the same run has fixed."""
    keys = ("train.fit_schedule", "train.max_steps", "train.warmup_steps")
    return config.with_overrides({key: earlier.get(key) for key in keys})


def _measure(
    config: ResolvedConfig, library: ProgramLibrary, deadline: Deadline, stop: Callable[[], bool]
) -> float | None:
    """Seconds per step, measured in a temporary folder; None if the deadline left no time to measure."""
    with TemporaryDirectory(prefix="podium-fit-") as folder:
        run = TrainingRun(config, Path(folder) / "run", library, deadline.clock)
        try:
            begun_s = deadline.elapsed_s()
            run.advance(WARM_UP, deadline, stop)
            step, started_s = run.step, deadline.elapsed_s()
            run.advance(WARM_UP + MEASURED, deadline, stop)
            if run.step > step:
                return (deadline.elapsed_s() - started_s) / (run.step - step)
            # No other step fits, so the first ones and their compilation are all that is known.
            return (started_s - begun_s) / step if step else None
        finally:
            run.close()
