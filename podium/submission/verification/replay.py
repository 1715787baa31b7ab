"""Trains the first steps of a run again, and compares the losses with those on record."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from podium.core.clock import Deadline, MonotonicClock
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_jsonl
from podium.core.provenance import code_hash
from podium.core.records import Report
from podium.core.resolved import ResolvedConfig, resolved
from podium.core.run_files import METRICS
from podium.core.states import State
from podium.submission.lock import Lock, hash_inputs
from podium.submission.verify import differences

# Of the loss, relative. The number of threads and the kind of device decide in which order sums are rounded, and each
# step carries that on.
TOLERANCE = 0.01


def replay(lock: Lock, run_dir: Path, steps: int, places: Mapping[str, str] = MappingProxyType({})) -> str:
    """Train `steps` steps with the config of the lock. `places` says where its data is, if home lacks it.

    Raises:
        PodiumError: a loss differs by more than TOLERANCE, or nothing could be replayed: the message says why.
    """
    config = resolved(lock.run_config().with_overrides(places))
    recorded = {line["step"]: line["loss"] for _, line in read_jsonl(run_dir / METRICS) if "loss" in line}
    known = [step for step in recorded if step <= steps]
    if not known:
        first = min(recorded, default=None)
        raise PodiumError(f"not replayed: the first loss on record is that of step {first}; give --replay {first}")
    try:
        _check_model(lock, config)
        losses = _train(config, max(known))
    except PodiumError as error:
        raise PodiumError(f"not replayed: {error}") from error
    return _compared(recorded, losses, known) + _about_code(lock)


def _check_model(lock: Lock, config: ResolvedConfig) -> None:
    """Raises PodiumError: the weights or the tokenizer are not here, or are others."""
    mine = ("model/", "tokenizer/", "trainset/")
    expected = {name: value for name, value in lock.hashes.items() if name.startswith(mine)}
    found = {name: value for name, value in hash_inputs(config).items() if name.startswith(mine)}
    if wrong := differences(expected, found):
        raise UsageError(", ".join(map(str, wrong)))


def _train(config: ResolvedConfig, until_step: int) -> dict[int, float]:
    """The losses by step."""
    from trainer.loop import train  # JAX, which no other check needs

    losses: dict[int, float] = {}

    def keep(report: Report) -> None:
        if "train/loss" in report.metrics:
            losses[report.step] = report.metrics["train/loss"]

    with tempfile.TemporaryDirectory(prefix="podium-replay-") as folder:
        deadline = Deadline.after(None, clock=MonotonicClock())
        result = train(config, Path(folder) / "run", deadline=deadline, until_step=until_step, on_log=keep)
        if result.step < until_step:
            raise PodiumError(f"training {result.state} at step {result.step}: {result.reason}")
        if result.state is State.DIVERGED:
            raise PodiumError(f"training diverged: {result.reason}")
        for _, line in read_jsonl(Path(folder) / "run" / METRICS):
            losses[line["step"]] = line["loss"]
    return losses


def _compared(recorded: dict[int, float], losses: dict[int, float], known: list[int]) -> str:
    worst = 0.0
    for step in sorted(known):
        if step not in losses:
            continue
        was, now = recorded[step], losses[step]
        difference = abs(now - was) / max(abs(was), 1e-9)
        worst = max(worst, difference)
        if not math.isfinite(difference) or difference > TOLERANCE:
            rule = f"must differ by at most {TOLERANCE:.0%}"
            raise PodiumError(f"step {step}: the loss is {now:.6g} here and {was:.6g} on record, {rule}")
    return f"{max(known)} steps; {len(known)} losses agree within {worst:.2g} (allowed {TOLERANCE:g})"


def _about_code(lock: Lock) -> str:
    return "" if code_hash() == lock.hashes["code"] else "; with the code here, which is not the code of the lock"
