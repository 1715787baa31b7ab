"""The hardest end of all: kill -9 in a child process, then go on from what is on the disk."""

import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import jax
import numpy as np
import pytest

from podium.core.config import RunConfig
from podium.core.states import State
from trainer.loop import train
from trainer.programs.library import ProgramLibrary
from trainer.run.checkpoint import Checkpoints, restore_tree
from trainer.run.metrics_log import MetricsLog


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, library: ProgramLibrary, config: RunConfig) -> None:
    long = config.with_overrides({"train.max_steps": 400, "train.save_every_steps": 5, "train.log_every_steps": 4})
    (tmp_path / "config.yaml").write_text(long.to_yaml())
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    library.training_program(long).init(0)
    _ = library.training_program(long).step  # compiled, so that the child finds it in the cache

    command = [sys.executable, "-m", "podium.cli.main", "train", str(tmp_path / "config.yaml"), "--out", str(killed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            if line.startswith("step 20/"):
                child.send_signal(signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL
    newest = Checkpoints(killed / "checkpoints", keep=2).newest()
    assert newest is not None and 0 < int(newest.name) < 400

    end = int(newest.name) + 10
    assert train(long, killed, library=library, resume=True, until_step=end).state is State.STOPPED
    assert train(long, whole, library=library, until_step=end).step == end

    check_same_end(killed, whole, end, library, long)


@pytest.mark.slow
def test_thirty_kills_at_random_instants_change_nothing(
    tmp_path: Path, library: ProgramLibrary, config: RunConfig
) -> None:
    """Every child goes on from what the one before it left, and is killed while it starts, trains or saves."""
    long = config.with_overrides({"train.max_steps": 100_000, "train.save_every_steps": 3, "train.log_every_steps": 4})
    (tmp_path / "config.yaml").write_text(long.to_yaml())
    killed, whole, draw = tmp_path / "killed", tmp_path / "whole", random.Random(0)
    library.training_program(long).init(0)
    _ = library.training_program(long).step

    command = [sys.executable, "-m", "podium.cli.main", "train", str(tmp_path / "config.yaml"), "--out", str(killed)]
    saved = []
    for number in range(30):
        with subprocess.Popen(
            [*command, "--resume"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            is_training = number % 5 == 0 or any(line.startswith("step ") for line in iter(child.stdout.readline, ""))
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=draw.uniform(0, 1 if number % 5 else 6))
            child.kill()
        assert is_training and child.returncode == -signal.SIGKILL
        newest = Checkpoints(killed / "checkpoints", keep=2).newest()
        saved.append(int(newest.name) if newest else 0)
    assert saved == sorted(saved) and saved[-1] > 0
    end = saved[-1] + 10
    train(long, killed, library=library, resume=True, until_step=end)
    train(long, whole, library=library, until_step=end)
    check_same_end(killed, whole, end, library, long)


def check_same_end(killed: Path, whole: Path, end: int, library: ProgramLibrary, config: RunConfig) -> None:
    """The same parameters, bit for bit, and the same lines, times aside."""
    shapes = library.training_program(config).trainable
    found, expected = (
        jax.tree.leaves(restore_tree(out / "checkpoints" / str(end), "trainable", shapes)) for out in (killed, whole)
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    found, expected = (
        [{**line, "elapsed_s": 0} for line in MetricsLog(out / "metrics.jsonl").lines()] for out in (killed, whole)
    )
    assert found == expected and len(found) == end // 4 + (end % 4 > 0)
