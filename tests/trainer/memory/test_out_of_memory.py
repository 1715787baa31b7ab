"""What JAX raises when the device is full, raised by the compiled functions: no test can fill the host's memory."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import pytest

from podium.core.clock import Deadline
from podium.core.config import RunConfig, parse_assignment
from podium.core.errors import RunFailed
from podium.core.states import State
from trainer.loop import train
from trainer.memory.out_of_memory import out_of_memory_ends_the_run
from trainer.programs.decoding import DecodingProgram
from trainer.programs.library import ProgramLibrary
from trainer.programs.training import TrainingProgram
from trainer.run.training_run import TrainingRun


def full(*_: Any, **__: Any) -> None:
    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nmore lines")


def applied(reason: str, config: RunConfig) -> list[RunConfig]:
    """The config with each of the fixes that a reason names."""
    fixes = re.split(r" or |; as a last resort ", reason[reason.index("try --set") :])
    assignments = [re.findall(r"--set (\S+=\w+)", fix) for fix in fixes]
    return [config.with_overrides(dict(map(parse_assignment, assignment))) for assignment in assignments]


@pytest.fixture
def saved(tmp_path: Path, library: ProgramLibrary, config: RunConfig) -> RunConfig:
    """A run in `run`, saved at step 2."""
    assert train(config, tmp_path / "run", library=library, until_step=2).step == 2
    return config


def test_in_training(
    tmp_path: Path, library: ProgramLibrary, saved: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingProgram, "step_of", lambda *_: full)
    result = train(saved, tmp_path / "run", library=library, resume=True)
    assert (result.state, result.step) == (State.OOM, 2)
    assert "out of device memory in training after step 2; a training step needs" in result.reason
    assert "(weights " in result.reason and result.reason.endswith("Out of memory allocating 9 bytes.")
    *better, last = applied(result.reason, saved)
    assert len(better) == 3 and all(other != saved for other in better)
    assert last.device.allocator == "platform"
    monkeypatch.undo()
    assert train(saved, tmp_path / "run", library=library, resume=True).state is State.COMPLETE, "nothing was lost"


def test_in_prediction(
    tmp_path: Path,
    library: ProgramLibrary,
    saved: RunConfig,
    make_samples: Callable,
    forever: Deadline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = TrainingRun(saved, tmp_path / "run", library)
    run.restore(for_training=False)
    monkeypatch.setattr(DecodingProgram, "admit_of", lambda *_: full)
    with pytest.raises(
        RunFailed, match=r"in prediction after step 2; decoding needs .* \(weights .*, cache "
    ) as failed:
        run.predict(make_samples("1+1=?"), forever)
    assert failed.value.state is State.OOM
    *better, _ = applied(str(failed.value), saved)
    assert [other.generate.batch_size for other in better] == [2, 4, 4]
    assert all(key.startswith("generate.") for key in re.findall(r"--set (\S+)=", str(failed.value))[:3])
    assert run.advance(12, forever).state is State.OOM, "it stays so"
    run.close()


def test_in_restoring_and_in_loading(
    tmp_path: Path, library: ProgramLibrary, saved: RunConfig, forever: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TrainingRun(saved, tmp_path / "run", library)
    with monkeypatch.context() as patch:
        patch.setattr("trainer.run.training_run.restore_tree", full)
        assert run.restore() == 2
    report = run.advance(12, forever)
    assert (report.state, report.step) == (State.OOM, 2)
    assert "out of device memory while restoring after step 2" in report.reason
    run.close()
    monkeypatch.setattr("trainer.programs.library.load_base", full)
    with pytest.raises(RunFailed, match=r"while loading the model; the weights of tiny need 3.35 MB; try ") as failed:
        TrainingRun(saved, tmp_path / "other", ProgramLibrary())
    assert failed.value.state is State.OOM


def test_other_errors_of_the_device_go_through(
    tmp_path: Path, library: ProgramLibrary, config: RunConfig, forever: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(TrainingProgram, "step_of", lambda *_: broken)
    run = TrainingRun(config, tmp_path / "run", library)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        run.advance(1, forever)
    run.close()


def test_the_last_resort_is_named_until_it_is_taken(monkeypatch: pytest.MonkeyPatch, config: RunConfig) -> None:
    from trainer.device.devices import select

    monkeypatch.setenv("XLA_PYTHON_CLIENT_ALLOCATOR", "default")
    select(config.device)
    assert os.environ["XLA_PYTHON_CLIENT_ALLOCATOR"] == "default"
    taken = config.with_overrides({"device.allocator": "platform"})
    select(taken.device)
    assert os.environ["XLA_PYTHON_CLIENT_ALLOCATOR"] == "platform"
    with (
        pytest.raises(RunFailed, match=r"^out of device memory here; it needs much; try less: RESOURCE_EXHAUSTED"),
        out_of_memory_ends_the_run(taken, lambda: "here", lambda: "it needs much", lambda _: ["less"]),
    ):
        full()


def test_a_cpu_that_runs_out_in_a_program_says_it_without_the_status(config: RunConfig) -> None:
    message = "INTERNAL: Error dispatching computation: Out of memory allocating 38912000000000 bytes."
    with (
        pytest.raises(RunFailed, match=r"^out of device memory here; .* bytes\.$"),
        out_of_memory_ends_the_run(config, lambda: "here", lambda: "it needs much", lambda _: ["less"]),
    ):
        raise jax.errors.JaxRuntimeError(message)
