"""Whether kaggle_output_log.txt says what the other files of a run say."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from podium.core import run_files
from podium.core.errors import PodiumError
from podium.core.files import read_json, read_jsonl, read_text

MOST_STEPS = 10  # between two losses in the log
_STEP = re.compile(r"^step (\d+)/(\d+)  loss (-?\d+\.\d{4})  ", re.MULTILINE)
_BLOCK = re.compile(r"^RESULT SUMMARY\n((?:\w+: .*\n)+)", re.MULTILINE)


def check_log(run_dir: Path, manifest: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """What the log has. Raises PodiumError: it lacks something, or contradicts the manifest, summary or metrics."""
    text = read_text(run_dir / run_files.OUTPUT_LOG)
    _needs(text, f"claimed at {manifest['claimed_at']}", "when the run was claimed")
    _needs(text, f", lock {manifest['lock_id'][:12]}", "the lock")
    if manifest["manifest_version"] != "1":
        version = read_json(run_dir / run_files.PROVENANCE)["libraries"].get("jax")
        _needs(text, f"\nJAX {version}, devices: ", "the version of JAX and the devices")
    n_losses = _check_losses(run_dir, text, manifest["steps_trained"])
    if manifest["state"] == "complete":
        _check_block(text, summary)
    return f"losses of {n_losses} steps and the result agree with metrics, summary and manifest"


def _needs(text: str, part: str, what: str) -> None:
    if part not in text:
        raise PodiumError(f"{run_files.OUTPUT_LOG} does not say {what} ({part.strip()!r}), or says it otherwise")


def _check_losses(run_dir: Path, text: str, steps_trained: int) -> int:
    """The number of steps whose loss is in the log. A step that was trained again after a kill is there twice."""
    shown = {int(step): float(loss) for step, _, loss in _STEP.findall(text)}
    steps = [0, *sorted(shown), steps_trained]
    for before, after in pairwise(steps):
        if after - before > MOST_STEPS:
            raise PodiumError(
                f"{run_files.OUTPUT_LOG} has no loss between steps {before} and {after}, must have one every "
                f"{MOST_STEPS} steps"
            )
    for _, line in read_jsonl(run_dir / run_files.METRICS):
        step, loss = line.get("step"), line.get("loss")
        if step in shown and loss is not None and f"{loss:.4f}" != f"{shown[step]:.4f}":
            raise PodiumError(f"step {step}: {run_files.OUTPUT_LOG} has loss {shown[step]}, {run_files.METRICS} {loss}")
    return len(shown)


def _check_block(text: str, summary: Mapping[str, Any]) -> None:
    blocks = _BLOCK.findall(text)
    if not blocks:
        raise PodiumError(f"{run_files.OUTPUT_LOG} has no RESULT SUMMARY")
    lines = dict(line.split(": ", 1) for line in blocks[-1].splitlines())
    for name in ("model_id", "dataset", "eval_set", "primary_score", "final_loss", "n_items", "n_scored"):
        if lines.get(name) != str(summary[name]):
            raise PodiumError(
                f"{name}: {run_files.OUTPUT_LOG} has {lines.get(name, 'nothing')}, {run_files.SUMMARY} {summary[name]}"
            )
