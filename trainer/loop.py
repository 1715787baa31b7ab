"""`train()`: one run from its first step, or its newest checkpoint, to its end."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from podium.core.clock import Deadline, MonotonicClock
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.records import Report
from podium.core.states import State
from trainer.device.processes import any_process, shared
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun

LOG_STEPS = 10


@dataclass(frozen=True)
class TrainResult:
    state: State  # COMPLETE, or why it ended before train.max_steps
    step: int
    final_loss: float | None  # of the last step; None where no step was finished
    tokens: int
    elapsed_s: float
    reason: str | None
    truncated: bool  # the deadline left steps undone


def train(
    config: RunConfig,
    out: Path,
    *,
    library: ProgramLibrary | None = None,
    deadline: Deadline | None = None,
    resume: bool = False,
    until_step: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_log: Callable[[Report], None] | None = None,
) -> TrainResult:
    """Train in the folder `out`, saving as it goes. `on_log` hears every LOG_STEPS steps or sooner, and the last.

    The same config and seed give the same parameters, however often the run was broken off and resumed.

    Raises:
        UsageError: `out` holds a run and `resume` is not set, or a wrong config, model, trainset or checkpoint.
        PodiumError: the disk refused a file; the last checkpoint is whole.
    """
    if not resume and any_process(holds_run(out)):
        raise UsageError(f"{out} already holds a run; add --resume to go on with it, or choose another folder")
    deadline = deadline or Deadline.after(None, clock=shared(MonotonicClock()))
    last = config.train.max_steps if until_step is None else min(until_step, config.train.max_steps)
    on_log = on_log or (lambda _: None)
    run = TrainingRun(config, out, library or ProgramLibrary(), deadline.clock)
    try:
        if resume:
            run.restore()
        heard = run.step
        report = run.advance(_next_pause(run.step, last, config), deadline, stop)
        while report.state is State.RUNNING and run.step < last:
            on_log(report)
            heard = run.step
            if run.step % config.train.save_every_steps == 0:
                run.save(wait=False)
            report = run.advance(_next_pause(run.step, last, config), deadline, stop)
        if run.step > heard:
            on_log(report)
        # Else the last good checkpoint stays the newest.
        if report.state not in (State.DIVERGED, State.OOM, State.INFEASIBLE):
            run.save()
    finally:
        run.close()
    return _result(report, run)


def holds_run(out: Path) -> bool:
    return (out / "config.yaml").exists() or (out / "checkpoints").exists()


def _next_pause(step: int, last: int, config: RunConfig) -> int:
    """The next step after which something is to be logged or saved."""
    every = (LOG_STEPS, config.train.log_every_steps, config.train.save_every_steps)
    return min(last, *((step // n + 1) * n for n in every))


def _result(report: Report, run: TrainingRun) -> TrainResult:
    state, reason = report.state, report.reason
    if state is State.RUNNING:
        state, reason = State.STOPPED, f"step limit reached ({run.step})"
    counters = run.counters
    return TrainResult(state, run.step, counters.loss, counters.tokens, run.elapsed_s, reason, run.out_of_time)
