"""Brings a study's runs in MLflow up to date with the study."""

from pathlib import Path

from podium.core.damage import Findings, set_aside
from podium.core.files import write_text
from podium.core.redaction import one_line, redact
from tuning.study.files import MLFLOW_RUN_FILE
from tuning.study.study import StudyView
from tuning.tracking import tracking_uri, update_tracking
from tuning.tracking.shown import is_damaged, shown_trials
from tuning.tracking.uri import sqlite_file


def repair_mlflow(study: StudyView, write_anew: bool, found: Findings) -> None:
    """Write to MLflow the ended trials that it does not show. A store that does not know the study stays as it is,
    unless `write_anew` is set or the store was damaged."""
    uri = tracking_uri()
    path = sqlite_file(uri)
    if path and is_damaged(uri):
        _set_store_aside(path, found)
        write_anew = True
    if path and not path.is_file() and not write_anew:
        return
    try:
        shown = shown_trials(study.name, uri)
    except Exception as error:  # noqa: BLE001  recorded as lost; MLflow raises many kinds
        found.lost.append(f"MLflow at {redact(uri)} could not be read: {one_line(error, 200)}")
        return
    if shown is None and not write_anew:
        return
    for trial in study.trials:
        if shown and trial.number in shown and trial.mlflow_run_id is None:
            write_text(trial.dir / MLFLOW_RUN_FILE, shown[trial.number][1])
            found.done.append(f"{trial.dir / MLFLOW_RUN_FILE}: written anew from MLflow")
    ended = [trial for trial in study.trials if trial.state.is_final]
    behind = [trial.number for trial in ended if not shown or shown.get(trial.number, "")[0] != trial.state]
    if behind:
        account = update_tracking(study, study.space, uri)
        if account["unwritten"]:
            why = f"{account['last_failure']}; `podium repair {study.name} --mlflow` tries again"
            found.lost.append(f"MLflow at {redact(uri)} lacks the trials {account['unwritten']}: {why}")
        else:
            found.done.append(f"MLflow at {redact(uri)}: wrote the trials {', '.join(map(str, behind))}")


def _set_store_aside(path: Path, found: Findings) -> None:
    """An empty store takes its place when it is opened."""
    kept = set_aside(path)
    for log in path.parent.glob(f"{path.name}-*"):  # a write-ahead log belongs to its database
        set_aside(log)
    found.done.append(f"{path} is damaged: kept as {kept.name}, and begun anew")
    found.lost.append(f"{path}: the other studies, until `podium repair STUDY --mlflow`; notes and tags that you wrote")
