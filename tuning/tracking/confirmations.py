"""Writes the confirmation runs of a promotion to MLflow, below the study that they belong to."""

from pathlib import Path
from typing import Any

from podium.core import run_files
from podium.core.files import read_jsonl
from podium.core.records import Report, read_record
from trainer.run.metrics_log import MetricsLog
from tuning.study.files import CONFIRMATION_DIR, CONFIRMATION_RUNS_FILE, report_file, trial_dir
from tuning.study.study import StudyView
from tuning.tracking import store
from tuning.tracking.spool import logged_points, now_ms
from tuning.tracking.uri import sqlite_file, tracking_uri

FILES = (run_files.CONFIG, run_files.PROVENANCE, run_files.PREDICTIONS, run_files.SCORECARD)


def log_confirmations(study: StudyView, uri: str | None = None) -> None:
    """Log every confirmation run of the study that has ended, once. Does nothing if MLflow does not have the study.

    Raises:
        UsageError: the tracking URI has an unknown scheme.
        PodiumError: MLflow is not installed or refused a run.
    """
    where = tracking_uri(uri)
    file, runs = sqlite_file(where), study.dir / CONFIRMATION_DIR / CONFIRMATION_RUNS_FILE
    if runs.is_file() and (file is None or file.is_file()):
        with store.refusals(f"MLflow did not accept the confirmation runs of study {study.name!r}"):
            _log(where, study, runs)


def _log(uri: str, study: StudyView, runs: Path) -> None:
    client = store.open_client(uri)
    parents = store.find_runs(client, store.all_experiments(client), {"study": study.name, "kind": "study"})
    if not parents:
        return
    parent = parents[0].info
    tags = {"study": study.name, "kind": "confirmation"}
    logged = {run.data.tags.get("run") for run in store.find_runs(client, [parent.experiment_id], tags)}
    for _, row in read_jsonl(runs):
        report = report_file(runs.parent, row["number"])
        if str(row["number"]) not in logged and report.is_file():
            _log_run(
                client, parent, {**tags, **row}, trial_dir(runs.parent, row["number"]), read_record(Report, report)
            )


def _log_run(client: Any, parent: Any, about: dict[str, Any], folder: Path, report: Report) -> None:
    """Write one run. Its number is its last tag: a run without it was not written to its end, and is written again."""
    number, end_ms = about.pop("number"), now_ms()
    tags = store.texts({**about, "state": report.state, "reason": report.reason, store.PARENT: parent.run_id})
    start_ms = end_ms - int(1000 * report.elapsed_s)
    run = client.create_run(parent.experiment_id, start_ms, tags, f"confirm {about['label']} seed={about['seed']}")
    run_id = run.info.run_id
    points = [(name, value, report.step, end_ms) for name, value in report.metrics.items() if "/" in name]
    logged = logged_points(MetricsLog(folder / run_files.METRICS).lines(), end_ms)
    store.log_files(client, run_id, [folder / name for name in FILES])
    store.log(client, run_id, [*points, *logged], {"run": number}, {"seed": about["seed"], "of": about["label"]})
    client.set_terminated(run_id, status=store.STATUS[report.state], end_time=end_ms)
