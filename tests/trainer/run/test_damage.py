"""A damaged checkpoint is known by its hashes, and the newest whole one is used instead."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest

from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.errors import PodiumError
from podium.core.records import Report
from podium.core.states import State
from tests.damage import flip_bit
from trainer.inference import open_trained
from trainer.loop import train
from trainer.programs.library import ProgramLibrary
from trainer.run.checkpoint import DamagedCheckpoint, restore_tree
from trainer.run.checkpoint_hashes import HASHES
from trainer.run.metrics_log import MetricsLog
from trainer.run.training_run import TrainingRun


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, library: ProgramLibrary, config: RunConfig) -> Path:
    """A run that stopped after step 8, with checkpoints of the steps 5 and 8. Not to be changed."""
    out = tmp_path_factory.mktemp("made") / "run"
    train(config, out, library=library, until_step=8)
    return out


@pytest.fixture
def run(tmp_path: Path, made: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def arrays_of(run: Path, step: int, item: str = "trainable") -> list[Path]:
    """The files of an item, the largest first."""
    files = [path for path in (run / "checkpoints" / str(step) / item).rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: -path.stat().st_size)


def parameters(run: Path, step: int, library: ProgramLibrary, config: RunConfig) -> list[np.ndarray]:
    path = run / "checkpoints" / str(step)
    return [
        np.asarray(x)
        for x in jax.tree.leaves(restore_tree(path, "trainable", library.training_program(config).trainable))
    ]


@pytest.mark.parametrize("item", ["trainable", "opt_state", "meta"])
def test_a_run_goes_on_from_the_newest_whole_checkpoint_to_the_same_bits(
    run: Path, made: Path, tmp_path: Path, library: ProgramLibrary, config: RunConfig, item: str
) -> None:
    flip_bit(damaged := arrays_of(run, 8, item)[0])
    said: list[Report] = []
    assert train(config, run, library=library, resume=True, on_log=said.append).state is State.COMPLETE
    name = damaged.relative_to(run / "checkpoints" / "8").as_posix()
    assert said[0].reason == (
        f"checkpoint {run.resolve()}/checkpoints/8 is damaged ({name} differs from its hash); "
        "going on from the checkpoint of step 5"
    )
    assert not any(report.reason for report in said[1:])
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"8.damaged-1", "10", "12"}
    whole = Path(shutil.copytree(made, tmp_path / "whole"))
    train(config, whole, library=library, resume=True)
    for found, expected in zip(
        parameters(run, 12, library, config), parameters(whole, 12, library, config), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_a_prediction_uses_the_newest_whole_checkpoint_and_changes_nothing(
    run: Path, config: RunConfig, forever: Deadline, make_samples: Callable
) -> None:
    flip_bit(arrays_of(run, 8, "opt_state")[0])
    with open_trained(config, run) as trained:  # it needs no optimizer state
        assert (trained.step, trained.damage) == (8, None)
    flip_bit(arrays_of(run, 8)[0])
    with open_trained(config, run) as trained:
        assert trained.step == 5 and trained.damage.endswith("; going on from the checkpoint of step 5")
        assert len(trained.answer(make_samples("1+1=?"), forever)) == 1
    with (
        pytest.raises(DamagedCheckpoint, match=r"checkpoints/8 is damaged \(trainable/.* differs from its hash\)$"),
        open_trained(config, run, 8),
    ):
        pass
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["5", "8"]


def test_a_damaged_newer_checkpoint_gives_way_to_the_one_that_was_asked_for(
    run: Path, made: Path, library: ProgramLibrary, config: RunConfig
) -> None:
    given = made / "checkpoints" / "5"
    assert TrainingRun(config, run, library).restore(given, or_newer=True) == 8
    flip_bit(arrays_of(run, 8)[0])
    again = TrainingRun(config, run, library)
    assert again.restore(given, or_newer=True) == 5
    assert again.damage.endswith("; going on from the checkpoint of step 5")


def test_without_a_whole_checkpoint_a_person_decides(run: Path, library: ProgramLibrary, config: RunConfig) -> None:
    for step in (5, 8):
        arrays_of(run, step)[0].unlink()
    with pytest.raises(PodiumError) as error:
        train(config, run, library=library, resume=True)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"checkpoint {run / 'checkpoints' / '8'} is damaged (trainable/")
    assert str(error.value).endswith("` sets it aside, and --resume then begins at step 0")  # a long path is shortened
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["5", "8"]


def test_a_checkpoint_without_hashes_opens_and_is_left_out_if_it_cannot_be_read(
    run: Path, library: ProgramLibrary, config: RunConfig
) -> None:
    (run / "checkpoints" / "8" / HASHES).unlink()
    assert TrainingRun(config, run, library).restore() == 8
    for file in arrays_of(run, 8)[:3]:
        file.write_bytes(b"")
    again = TrainingRun(config, run, library)
    assert again.restore() == 5
    assert "checkpoints/8 cannot be read (" in again.damage and "\n" not in again.damage


def test_hashes_that_are_damaged_themselves_vouch_for_nothing(
    run: Path, library: ProgramLibrary, config: RunConfig
) -> None:
    flip_bit(run / "checkpoints" / "8" / HASHES)
    again = TrainingRun(config, run, library)
    assert again.restore() == 5 and "8 is damaged (hashes.json is damaged)" in again.damage


@pytest.mark.parametrize("damage", ["half", "middle", "other"])
def test_a_damaged_line_of_metrics_costs_no_other(
    run: Path, library: ProgramLibrary, config: RunConfig, damage: str
) -> None:
    path = run / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["step"] for line in lines] == [4, 8]
    spoilt = {"half": [lines[0], lines[1][:9]], "middle": [b"\xff" + lines[0], lines[1]], "other": [b"[4]\n", lines[1]]}
    path.write_bytes(b"".join(spoilt[damage]))
    number, left = (2, 4) if damage == "half" else (1, 8)
    assert [line["step"] for line in MetricsLog(path).lines()] == [left]
    said: list[Report] = []
    train(config, run, library=library, resume=True, on_log=said.append)
    assert said[0].reason == f"{path}: line {number} damaged, and left out"
    assert [line["step"] for line in MetricsLog(path).lines()] == [left, 12]
    assert path.with_name("metrics.jsonl.damaged-1").read_bytes() == b"".join(spoilt[damage])


@pytest.mark.slow
def test_twenty_random_bits_of_each_file_of_a_checkpoint(
    made: Path, tmp_path: Path, library: ProgramLibrary, config: RunConfig
) -> None:
    """What is restored is what was saved, or an older checkpoint with a word about it."""
    draw = random.Random(0)
    files = [path.relative_to(made) for path in (made / "checkpoints" / "8").rglob("*") if path.is_file()]
    expected = {step: parameters(made, step, library, config) for step in (5, 8)}
    assert len(files) > 10
    for name in files:
        for _ in range(20):
            run = Path(shutil.copytree(made, tmp_path / "run"))
            size = (run / name).stat().st_size
            flip_bit(run / name, draw.randrange(size), draw.randrange(8))
            restored = TrainingRun(config, run, library)
            step = restored.restore()
            assert (step, restored.damage is None) in ((8, True), (5, False)), name
            for found, whole in zip(jax.tree.leaves(restored._weights[0]), expected[step], strict=True):
                np.testing.assert_array_equal(np.asarray(found), whole, err_msg=str(name))
            restored.close()
            shutil.rmtree(run)
