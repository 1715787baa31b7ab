"""A rehearsal of a submission: every check, 2 steps and 2 answers in a scratch folder, and no claim."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from eval.scorecard import score_predictions
from podium.core.clock import Clock, Deadline, MonotonicClock
from podium.core.errors import PodiumError
from podium.core.paths import submission_dir
from podium.core.records import Prediction, Sample
from podium.core.resolved import ResolvedConfig, resolved
from podium.core.states import State
from podium.submission import evidence
from podium.submission.claim import refuse_claimed
from podium.submission.lock import read_lock
from podium.submission.preflight import Preflight
from podium.submission.unlabelled import find_unlabelled, write_answers
from trainer.loop import train
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun

STEPS = ITEMS = 2


@dataclass(frozen=True)
class Rehearsal:
    """What a dry run found: each check by name, and the time of the whole run by what a few steps and tokens took."""

    checks: dict[str, str]
    training_s: float
    answers_s: float  # if every answer has generate.max_new_tokens
    setup_s: float  # checks and compilation
    budget_s: float
    reserve_s: float

    @property
    def total_s(self) -> float:
        return self.setup_s + self.training_s + self.answers_s


def dry_run(
    name: str,
    *,
    test: str | None = None,
    accept: tuple[str, ...] = (),
    library: ProgramLibrary | None = None,
    clock: Clock | None = None,
    items: int = ITEMS,
) -> Rehearsal:
    """Rehearse the run of submission `name` with `items` answers. Nothing is written to its folder.

    Raises:
        UsageError, PodiumError: as `submit` does before the claim, or the run of 2 steps failed.
    """
    clock = clock or MonotonicClock()
    started_s = clock.now()
    lock = read_lock(name)
    refuse_claimed(submission_dir(name))
    file = None if test is None else find_unlabelled(test)
    checks = Preflight(lock, lock.run_config(), library or ProgramLibrary(), file, accept=accept).run()
    with tempfile.TemporaryDirectory(prefix="podium-dry-run-") as scratch:
        step_s = _train(checks, Path(scratch), clock)
        answers_s = _answer(checks, Path(scratch), clock, items)
    training_s = step_s * checks.config.train.max_steps
    setup_s = clock.now() - started_s
    return Rehearsal(checks.passed, training_s, answers_s, setup_s, lock.budget.time_budget_s, lock.budget.reserve_s)


def _train(checks: Preflight, out: Path, clock: Clock) -> float:
    """Train STEPS steps in `out`, save them, and return the seconds of the last one."""
    ends_s: list[float] = []
    result = train(
        _short(checks.config),
        out,
        library=checks.library,
        deadline=Deadline.after(None, clock=clock),
        on_log=lambda _: ends_s.append(clock.now()),
    )
    if result.state is not State.COMPLETE:
        raise PodiumError(f"submission {checks.lock.name!r}: the dry run {result.state}: {result.reason}")
    return ends_s[-1] - ends_s[-2]


def _answer(checks: Preflight, out: Path, clock: Clock, items: int) -> float:
    """Answer `items` prompts of each file, score them or write the competition's file, and return the seconds that all
    answers take at most."""
    config = checks.config
    run = TrainingRun(_short(config), out, checks.library, clock)
    try:
        run.restore(for_training=False)
        found: list[Prediction] = []
        for prompts in checks.targets.values():
            found = run.predict(prompts[:items], Deadline.after(None, clock=clock))
        prompts = [prompt for chosen in checks.targets.values() for prompt in chosen]
        pace = run.measure_pace(prompts)
    finally:
        run.close()
    last, scorer = list(checks.targets.values())[-1][:items], evidence.chosen_scorer(config)
    if checks.test is None:
        score_predictions([item for item in last if isinstance(item, Sample)], found, scorer)
    else:
        write_answers(out, last, found, scorer)
    return pace.longest_s(len(prompts) * config.generate.num_samples, config.generate)


def _short(config: ResolvedConfig) -> ResolvedConfig:
    """`config` for STEPS steps, each of them logged."""
    changes = [change.model_dump() for change in config.train.changes if change.step < STEPS]
    short = {
        "train.max_steps": STEPS,
        "train.warmup_steps": min(config.train.warmup_steps, STEPS),
        "train.log_every_steps": 1,
        "train.changes": changes,
    }
    return resolved(config.with_overrides(short))
