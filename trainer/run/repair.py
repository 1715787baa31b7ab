"""Repairs the folder of a run: sets aside what is damaged, and rebuilds what follows from other files."""

from pathlib import Path

from podium.core import run_files
from podium.core.config import RunConfig, load_config, parse_config
from podium.core.damage import Findings, keep_copy, set_aside
from podium.core.errors import UsageError
from podium.core.files import read_json, read_jsonl, write_text
from trainer.run.checkpoint import Checkpoints, DamagedCheckpoint, whole_meta
from trainer.run.metrics_log import MetricsLog

# Files that only another command can write again, and that command.
REMADE = {
    run_files.PROVENANCE: "`podium train --resume` writes it anew",
    run_files.PREDICTIONS: "`podium predict` writes it anew",
    "predictions_meta.json": "`podium predict` writes it anew",
    run_files.SCORECARD: "`podium score` writes it anew",
}


def repair_run(run: Path, found: Findings, config: RunConfig | None = None) -> None:
    """Repair the run in the folder `run`, and add to `found` what was done and lost. The caller holds its claim.

    `config` is the run's, if the caller knows it without config.yaml.

    Raises:
        PodiumError: the disk refused a file.
    """
    saved = _repair_checkpoints(run, found)
    _repair_config(run, saved or config, found)
    repair_lines(run / run_files.METRICS, found)
    for name, remedy in REMADE.items():
        if (run / name).is_file() and not _is_readable(run / name):
            found.done.append(f"{run / name} is damaged: kept as {set_aside(run / name).name}")
            found.lost.append(f"{run / name}: {remedy}")


def repair_lines(path: Path, found: Findings) -> None:
    """Take the damaged lines out of a log of JSON lines."""
    log = MetricsLog(path)
    if not (numbers := log.damaged()):
        return
    kept = log.cut()
    lines = f"line{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
    found.done.append(f"{path}: cut off {lines}; the file as it was is kept as {kept.name if kept else 'nothing'}")
    found.lost.append(f"{path}: what {lines} said")


def _repair_checkpoints(run: Path, found: Findings) -> RunConfig | None:
    """Set damaged checkpoints aside. Returns the config of the newest whole one."""
    config: RunConfig | None = None
    for path in Checkpoints(run / run_files.CHECKPOINTS, keep=1).newest_first():
        try:
            saved = parse_config(whole_meta(path)["config"], str(path))
            config = config or saved
        except (DamagedCheckpoint, KeyError, UsageError) as error:
            found.done.append(f"{error}: kept as {set_aside(path).name}")
            found.lost.append(f"{path}: training goes on from an older checkpoint, or from the beginning")
    return config


def _repair_config(run: Path, known: RunConfig | None, found: Findings) -> None:
    path = run / run_files.CONFIG
    if not path.exists() and not (run / run_files.METRICS).exists():
        return  # the run has not begun
    try:
        load_config(path)
    except UsageError as error:
        if known is None:
            found.lost.append(f"{error}; no checkpoint has the config")
            return
        kept = f"; the damaged one is kept as {keep_copy(path).name}" if path.exists() else ""
        write_text(path, known.to_yaml())
        found.done.append(f"{error}: written anew{kept}")


def _is_readable(path: Path) -> bool:
    try:
        _ = list(read_jsonl(path)) if path.suffix == ".jsonl" else read_json(path)
    except UsageError:
        return False
    return True
