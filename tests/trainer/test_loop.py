from pathlib import Path

import pytest

from podium.core.clock import Deadline, FakeClock
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.records import Report
from podium.core.states import State
from trainer.loop import train
from trainer.programs.library import ProgramLibrary


def saved_steps(out: Path) -> list[int]:
    return sorted(int(path.name) for path in (out / "checkpoints").iterdir())


def test_a_whole_run(tmp_path: Path, library: ProgramLibrary, config: RunConfig) -> None:
    heard: list[Report] = []
    result = train(config, tmp_path / "run", library=library, on_log=heard.append)
    assert (result.state, result.step, result.truncated, result.reason) == (State.COMPLETE, 12, False, None)
    assert [report.step for report in heard] == [4, 5, 8, 10, 12]  # what is logged, what is saved, and the end
    assert result.final_loss == heard[-1].metrics["train/loss"]
    assert saved_steps(tmp_path / "run") == [10, 12]


def test_the_loss_is_heard_every_ten_steps_however_seldom_it_is_logged(
    tmp_path: Path, library: ProgramLibrary, config: RunConfig
) -> None:
    heard: list[Report] = []
    seldom = config.with_overrides({"train.max_steps": 22, "train.log_every_steps": 100, "train.save_every_steps": 100})
    train(seldom, tmp_path / "run", library=library, on_log=heard.append)
    assert [report.step for report in heard] == [10, 20, 22]


def test_a_folder_that_holds_a_run_needs_resume(tmp_path: Path, library: ProgramLibrary, config: RunConfig) -> None:
    out = tmp_path / "run"
    first = train(config, out, library=library, until_step=7)
    assert (first.state, first.step, first.reason) == (State.STOPPED, 7, "step limit reached (7)")
    assert not first.truncated
    with pytest.raises(UsageError, match=r"already holds a run; pass --resume to continue it"):
        train(config, out, library=library)
    assert saved_steps(out) == [5, 7]
    second = train(config, out, library=library, resume=True)
    assert (second.state, second.step) == (State.COMPLETE, 12)
    assert second.tokens == train(config, tmp_path / "other", library=library).tokens


def test_resume_of_nothing_starts_anew(tmp_path: Path, library: ProgramLibrary, config: RunConfig) -> None:
    assert train(config, tmp_path / "run", library=library, resume=True, until_step=1).step == 1


def test_a_deadline_truncates_and_a_request_does_not(
    tmp_path: Path, library: ProgramLibrary, config: RunConfig
) -> None:
    ticking = FakeClock(tick_s=1.0)
    result = train(config, tmp_path / "late", library=library, deadline=Deadline.after(20.0, clock=ticking))
    assert (result.state, result.truncated) == (State.STOPPED, True)
    assert result.reason == "time budget of 20 s used up"
    assert 0 < result.step < 12 and saved_steps(tmp_path / "late")[-1] == result.step
    result = train(config, tmp_path / "asked", library=library, stop=lambda: True)
    assert (result.state, result.truncated, result.step) == (State.STOPPED, False, 0)
    assert (result.reason, result.final_loss) == ("stopped on request", None)


def test_after_a_divergence_the_last_good_checkpoint_is_the_newest(
    tmp_path: Path, library: ProgramLibrary, config: RunConfig
) -> None:
    wild = config.with_overrides(
        {"train.learning_rate": 1e15, "train.schedule": "constant", "train.save_every_steps": 1}
    )
    heard: list[Report] = []
    result = train(wild, tmp_path / "run", library=library, on_log=heard.append)
    assert result.state is State.DIVERGED
    assert [report.step for report in heard] == list(range(1, result.step + 1)), "a step is heard once"
    assert saved_steps(tmp_path / "run")[-1] == result.step
    assert f"at step {result.step + 1}" in str(result.reason)
