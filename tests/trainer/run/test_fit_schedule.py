from collections.abc import Callable
from pathlib import Path

import pytest

from podium.core.clock import Deadline, FakeClock
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.states import State
from trainer.loop import train
from trainer.programs.library import ProgramLibrary
from trainer.run.fit_schedule import fit_schedule, with_fitted_steps


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def a_second_a_step(clock: FakeClock) -> Callable[[], bool]:
    """`stop` is asked before every step."""

    def stop() -> bool:
        clock.advance(1.0)
        return False

    return stop


@pytest.mark.slow
def test_the_steps_that_fit_are_planned_and_then_done(
    tmp_path: Path, library: ProgramLibrary, config: RunConfig, clock: FakeClock, a_second_a_step: Callable
) -> None:
    long = config.with_overrides({"train.max_steps": 1000, "train.warmup_steps": 200, "train.fit_schedule": True})
    deadline = Deadline.after(54.0, reserve_s=4.0, clock=clock)
    fit = fit_schedule(long, library, deadline, a_second_a_step)
    assert fit.step_s == 1.0
    assert fit.config.train.max_steps == 38  # 95% of the 40 s that the ten measured steps left
    assert (fit.config.train.warmup_steps, fit.config.train.fit_schedule) == (7, False)
    result = train(fit.config, tmp_path / "run", library=library, deadline=deadline, stop=a_second_a_step)
    assert (result.state, result.step, result.truncated) == (State.COMPLETE, 38, False)
    # It can be repeated: the measured steps have left nothing behind.
    again = train(fit.config, tmp_path / "again", library=library)
    assert again.final_loss == result.final_loss


def test_no_more_steps_than_were_asked_for(
    library: ProgramLibrary, config: RunConfig, clock: FakeClock, a_second_a_step: Callable
) -> None:
    deadline = Deadline.after(1e6, clock=clock)
    assert fit_schedule(config, library, deadline, a_second_a_step).config.train.max_steps == 12


def test_one_step_is_planned_where_none_fits(library: ProgramLibrary, config: RunConfig, clock: FakeClock) -> None:
    def slow() -> bool:
        clock.advance(20.0)
        return False

    fit = fit_schedule(config, library, Deadline.after(65.0, clock=clock), slow)
    assert fit.step_s >= 20.0 and fit.config.train.max_steps == 1


def test_nothing_is_changed_where_nothing_was_measured(
    library: ProgramLibrary, config: RunConfig, clock: FakeClock
) -> None:
    fit = fit_schedule(config, library, Deadline.after(1.0, clock=clock), lambda: True)
    assert (fit.step_s, fit.config.train.max_steps) == (None, 12)


def test_without_a_budget_there_is_nothing_to_fit_to(library: ProgramLibrary, config: RunConfig) -> None:
    with pytest.raises(UsageError, match=r"train.fit_schedule=true without a time budget"):
        fit_schedule(config, library, Deadline.after(None))


def test_a_resumed_run_keeps_what_was_fixed(config: RunConfig) -> None:
    earlier = config.with_overrides({"train.max_steps": 7, "train.warmup_steps": 2})
    asked = config.with_overrides({"train.fit_schedule": True, "train.log_every_steps": 3})
    assert with_fitted_steps(asked, earlier) == earlier.with_overrides({"train.log_every_steps": 3})
