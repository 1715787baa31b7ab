"""Measures how long the parts of a run take here, from a few steps and a few answers."""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from podium.core.clock import Clock, Deadline, MonotonicClock
from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.records import Prediction, Prompt
from podium.core.resolved import resolved
from podium.core.states import State
from trainer.device.devices import select
from trainer.loop import train
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun


@dataclass(frozen=True)
class Timing:
    """Wall seconds. `items_s`: of each item that was answered, with all its answers."""

    setup_s: float  # reading the model and the data, without compilation
    compile_s: float
    step_s: float  # the median
    items_s: tuple[float, ...]
    predictions: tuple[Prediction, ...]  # the answers to those items
    device: str
    max_steps: int

    @property
    def training_s(self) -> float:
        return self.step_s * self.max_steps


def measure(
    config: RunConfig,
    prompts: Sequence[Prompt],
    n: int,
    *,
    library: ProgramLibrary | None = None,
    clock: Clock | None = None,
) -> Timing:
    """Train `n` steps of a config and answer `n` of `prompts`, in a scratch folder.

    Items are answered in groups of generate.batch_size, as a submission does; each has its share of its group's time.

    Raises:
        UsageError, PodiumError: as `train` does, or a step failed.
    """
    if n < 1:
        raise UsageError(f"--measure {n}, must be >= 1: the number of steps and of answers to run")
    clock, library = clock or MonotonicClock(), library or ProgramLibrary()
    started_s = clock.now()
    whole = library.resolve(config, lambda: prompts)
    # The first step and the first answers compile; neither is counted.
    changes = {"train.max_steps": n + 1, "train.warmup_steps": min(whole.train.warmup_steps, n + 1)}
    short = resolved(whole.with_overrides({**changes, "train.log_every_steps": 1, "train.changes": []}))
    forever = Deadline.after(None, clock=clock)
    with tempfile.TemporaryDirectory(prefix="podium-measure-") as scratch:
        ends_s: list[float] = []
        result = train(
            short, Path(scratch), library=library, deadline=forever, on_log=lambda _: ends_s.append(clock.now())
        )
        if result.state is not State.COMPLETE:
            raise PodiumError(f"a run of {n + 1} steps to measure {result.state}: {result.reason}")
        steps_s = [end - begin for begin, end in pairwise(ends_s)]
        trained_s = clock.now() - started_s
        compiled_s = library.compile_s
        run = TrainingRun(short, Path(scratch), library, clock)
        try:
            run.restore(for_training=False)
            run.predict(prompts[:1], forever)
            answered = [_answered(run, group, forever) for group in _groups(prompts, n, short)]
        finally:
            run.close()
    step_s = statistics.median(steps_s)
    return Timing(
        setup_s=max(0.0, trained_s - compiled_s - step_s * (n + 1)),
        compile_s=library.compile_s,
        step_s=step_s,
        items_s=tuple(item_s for group_s, _ in answered for item_s in group_s),
        predictions=tuple(prediction for _, predictions in answered for prediction in predictions),
        device=str(select(config.device)),
        max_steps=whole.train.max_steps,
    )


def _groups(prompts: Sequence[Prompt], n: int, config: RunConfig) -> list[Sequence[Prompt]]:
    """At least the first `n` prompts, in whole groups: a group takes its time however few of its rows are used."""
    size = config.generate.batch_size
    assert isinstance(size, int)
    return [prompts[begin : begin + size] for begin in range(0, min(n, len(prompts)), size)]


def _answered(run: TrainingRun, prompts: Sequence[Prompt], deadline: Deadline) -> tuple[list[float], list[Prediction]]:
    began_s, compiled_s = deadline.clock.now(), run.library.compile_s
    predictions = run.predict(prompts, deadline)
    took_s = deadline.clock.now() - began_s - (run.library.compile_s - compiled_s)
    return [max(0.0, took_s) / len(prompts)] * len(prompts), predictions
