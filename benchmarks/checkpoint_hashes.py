"""Compares writing and reading a checkpoint of 300 MB with and without the hashes of its files.

    .venv/bin/python -m benchmarks.checkpoint_hashes [--rounds N] [--json]

The checkpoint has 25 million float32 parameters and both moments of Adam. A write is timed until it is complete on the
disk; training goes on meanwhile, and waits for the blocking part alone. Each round writes and reads both ways in turn.
Goals: with hashes, a write takes less than 1.5 times as long, and a read less than twice as long.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import jax

from benchmarks.report import Report, arguments
from trainer.run.checkpoint import Checkpoints, restore_tree
from trainer.run.checkpoint_hashes import HASHES, write_hashes

LAYERS, SHAPE = 25, (1000, 1000)
Times = dict[str, list[float]]


class WithoutHashes(Checkpoints):
    def _write_hashes(self) -> None:
        """None, as before there were any."""


def state() -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and optimizer state of random numbers, which do not compress."""
    keys = jax.random.split(jax.random.key(0), 3 * LAYERS)
    arrays = [jax.random.normal(key, SHAPE) for key in keys]
    named = [{str(n): array for n, array in enumerate(arrays[part::3])} for part in range(3)]
    return jax.block_until_ready((named[0], {"mu": named[1], "nu": named[2]}))


def timed(function: Callable[[], Any]) -> float:
    started_s = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - started_s


def one_round(folder: Path, trainable: dict[str, Any], opt_state: dict[str, Any], times: Times) -> None:
    for kind, how in (Checkpoints, "with"), (WithoutHashes, "without"):
        checkpoints = kind(folder / how, keep=1)
        blocked_s = timed(lambda: checkpoints.save(1, trainable, opt_state, {}))  # noqa: B023  called at once
        times[f"blocked {how}"].append(blocked_s)
        times[f"write {how}"].append(blocked_s + timed(checkpoints.close))
    for how in ("with", "without"):
        path = folder / how / "1"
        assert (path / HASHES).exists() is (how == "with")
        read = lambda: [restore_tree(path, *item) for item in (("trainable", trainable), ("opt_state", opt_state))]  # noqa: B023, E731
        times[f"read {how}"].append(timed(read))
    times["hash"].append(timed(lambda: write_hashes(folder / "with" / "1")))
    shutil.rmtree(folder / "with")
    shutil.rmtree(folder / "without")


def main() -> None:
    options = arguments(__doc__, rounds=5)
    report, (trainable, opt_state) = Report("checkpoint_hashes"), state()
    names = [f"{what} {how}" for what in ("blocked", "write", "read") for how in ("with", "without")]
    times: Times = {name: [] for name in [*names, "hash"]}
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as folder:
        for _ in range(options.rounds):
            one_round(Path(folder), trainable, opt_state, times)
    size = sum(leaf.nbytes for leaf in jax.tree.leaves((trainable, opt_state)))
    report.figure("arrays", size / 1e6, "MB")
    for name, seconds in times.items():
        report.figure(f"{name}, median", median(seconds), "s")
    for what, goal in (("write", "< 1.5"), ("read", "< 2")):
        ratios = [a / b for a, b in zip(times[f"{what} with"], times[f"{what} without"], strict=True)]
        report.goal(f"{what} with hashes over without, median of the rounds", median(ratios), goal)
    report.print(options.json)


if __name__ == "__main__":
    main()
