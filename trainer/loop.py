"""`train()`: one run from its first step, or its newest checkpoint, to its end.

`advance_with_checkpoints` is the loop below it, which a worker of a sweep runs as well.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from podium.core.clock import Deadline, MonotonicClock
from podium.core.errors import UsageError
from podium.core.progress import doing
from podium.core.records import Report
from podium.core.resolved import ResolvedConfig
from podium.core.states import State
from trainer.device.processes import any_process, shared
from trainer.programs.library import ProgramLibrary
from trainer.run.checkpoint import DamagedCheckpoint
from trainer.run.training_run import TrainingRun

LOG_STEPS = 10
SAVABLE = (State.RUNNING, State.COMPLETE, State.STOPPED)  # after a failure the last good checkpoint stays the newest


@dataclass(frozen=True)
class TrainResult:
    state: State  # COMPLETE, or why the run ended before train.max_steps
    step: int
    final_loss: float | None  # of the last step; None if no step was finished
    tokens: int
    elapsed_s: float
    reason: str | None
    truncated: bool  # the deadline came before the last step


def train(
    config: ResolvedConfig,
    out: Path,
    *,
    library: ProgramLibrary | None = None,
    deadline: Deadline | None = None,
    resume: bool = False,
    until_step: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_log: Callable[[Report], None] | None = None,
) -> TrainResult:
    """Train in the folder `out` and save checkpoints there. `on_log` gets a report at least every LOG_STEPS steps, and
    that of the last step. If a file of the run to resume is damaged, the first report has the reason.

    The same config and seed give the same parameters, however often the run was interrupted and resumed.

    Raises:
        UsageError: `out` holds a run and `resume` is not set; or the config, model, trainset or checkpoint is wrong.
        PodiumError: a file could not be written, and the last checkpoint is whole; or none is whole to resume from.
    """
    if not resume and any_process(holds_run(out)):
        raise UsageError(f"{out} already holds a run; pass --resume to continue it, or choose another folder")
    deadline = deadline or Deadline.after(None, clock=shared(MonotonicClock()))
    last = config.train.max_steps if until_step is None else min(until_step, config.train.max_steps)
    on_log = on_log or (lambda _: None)
    run = TrainingRun(config, out, library or ProgramLibrary(), deadline.clock)
    try:
        if resume:
            _restore(run)
        if run.damage:
            on_log(Report(step=run.step, state=State.RUNNING, metrics={}, reason=run.damage))
        logged_step, pauses = run.step, (LOG_STEPS, config.train.log_every_steps)
        with doing("training", run.step, last, deadline.remaining_s()) as advance:
            for report in advance_with_checkpoints(run, last, deadline, stop, pauses):
                advance(run.step)
                if run.step > logged_step:
                    on_log(report)
                    logged_step = run.step
        if report.state in SAVABLE:
            run.save()
    finally:
        run.close()
    return _result(report, run)


def _restore(run: TrainingRun) -> None:
    """Raises PodiumError if no checkpoint is whole. A person decides whether to train again from the beginning."""
    try:
        run.restore()
    except DamagedCheckpoint as error:
        todo = f"`podium repair {run.out}` sets it aside, and --resume then begins at step 0"
        raise DamagedCheckpoint(f"{error}; {todo}") from error


def holds_run(out: Path) -> bool:
    return (out / "config.yaml").exists() or (out / "checkpoints").exists()


def advance_with_checkpoints(
    run: TrainingRun,
    until_step: int,
    deadline: Deadline,
    stop: Callable[[], bool] = lambda: False,
    pause_every: Sequence[int] = (),
) -> Iterator[Report]:
    """Train to `until_step` with pauses; yields the report of each pause, the last one included.

    It pauses at every multiple of train.save_every_steps and of the numbers in `pause_every`. After the report it saves
    a checkpoint, in the background, at the multiples of train.save_every_steps and when the run is complete or stopped.

    Raises:
        UsageError, PodiumError: as `TrainingRun.advance` and `TrainingRun.save` do.
    """
    save_every = run.config.train.save_every_steps
    is_running = True
    while is_running:
        pauses = ((run.step // steps + 1) * steps for steps in (save_every, *pause_every))
        report = run.advance(min(until_step, *pauses), deadline, stop)
        yield report
        is_running = report.state is State.RUNNING and run.step < until_step
        is_due = report.state is not State.RUNNING or run.step % save_every == 0
        if is_due and report.state in SAVABLE:
            run.save(wait=False)


def _result(report: Report, run: TrainingRun) -> TrainResult:
    state, reason = report.state, report.reason
    if state is State.RUNNING:
        state, reason = State.STOPPED, f"step limit reached ({run.step})"
    counters = run.counters
    return TrainResult(state, run.step, counters.loss, counters.tokens, run.elapsed_s, reason, run.out_of_time)
