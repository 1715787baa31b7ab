"""Repairs the folder of a trial: that of its run, and the files with which the sweep follows it."""

from pathlib import Path

from podium.core.config import RunConfig
from podium.core.damage import Findings, keep_copy, set_aside
from podium.core.errors import UsageError
from podium.core.files import read_json, write_text
from podium.core.records import Report, read_record
from podium.core.resolved import open_keys
from trainer.run.metrics_log import MetricsLog
from trainer.run.repair import repair_lines, repair_run
from tuning.study.files import EVENTS_FILE, MLFLOW_RUN_FILE, POINTER_FILE, REPORT_FILE, UNTRAINED_FILE
from tuning.study.trial import TrialView

# Files of JSON that nothing can write anew, and what goes without them.
NEEDED_BY_NONE = {
    POINTER_FILE: "no other member of a population can copy the trial at its newest step",
    UNTRAINED_FILE: "the score before the first step is not shown",
}


def repair_trial(trial: TrialView, found: Findings) -> None:
    """Repair the files in the folder of a trial."""
    if not trial.dir.is_dir():
        return
    repair_run(trial.dir, found, _config_of(trial))
    repair_lines(trial.dir / EVENTS_FILE, found)
    _repair_report(trial.dir, found)
    for name, remedy in NEEDED_BY_NONE.items():
        _set_unreadable_aside(trial.dir / name, remedy, found)
    if (trial.dir / MLFLOW_RUN_FILE).is_file() and trial.mlflow_run_id is None:
        kept = set_aside(trial.dir / MLFLOW_RUN_FILE).name
        found.done.append(f"{trial.dir / MLFLOW_RUN_FILE} is damaged: kept as {kept}")


def _set_unreadable_aside(path: Path, remedy: str, found: Findings) -> None:
    try:
        if path.is_file():
            read_json(path)
    except UsageError as error:
        found.done.append(f"{error}: kept as {set_aside(path).name}")
        found.lost.append(f"{path}: {remedy}")


def _config_of(trial: TrialView) -> RunConfig | None:
    """The trial's config as it follows from the study; None if its sizes were found when it began."""
    try:
        return None if open_keys(trial.config) else trial.config
    except UsageError:  # its values contradict each other
        return None


def _repair_report(folder: Path, found: Findings) -> None:
    """Write a damaged report.json anew from the newest event with a report."""
    path = folder / REPORT_FILE
    if not path.is_file():
        return
    try:
        read_record(Report, path)
    except UsageError as error:
        kept = keep_copy(path).name
        reports = [line for line in MetricsLog(folder / EVENTS_FILE).lines() if "step" in line]
        if reports:
            fields = {name: reports[-1].get(name) for name in Report.model_fields if name in reports[-1]}
            write_text(path, Report.model_validate(fields).model_dump_json())
        else:
            path.unlink()
        found.done.append(f"{error}: {'written anew' if reports else 'removed'}; the damaged one is kept as {kept}")
