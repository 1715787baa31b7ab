"""Writes a submission run to MLflow, below the study that it came from."""

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Any

from podium.core import run_files
from podium.core.config import parse_config
from podium.core.errors import PodiumError
from podium.core.files import read_json
from podium.core.paths import home, submission_dir, workspace
from podium.core.promotion import PromotionRecord
from podium.core.redaction import redact
from podium.core.states import State
from trainer.run.metrics_log import MetricsLog
from tuning.study.locks import one_creator
from tuning.tracking import datasets, store, tables
from tuning.tracking.description import param_name, param_value
from tuning.tracking.spool import logged_points, now_ms
from tuning.tracking.uri import sqlite_file, tracking_uri

PROMOTED = "promoted"  # tag of a trial: the name of its lock
MANIFEST, SUMMARY, LOG = "run_manifest.json", "eval_summary.json", "kaggle_output_log.txt"  # submission/evidence.py
LOCK_FOLDER = "lock"  # among the artifacts of a promoted trial
EXPERIMENT = "submissions"  # for runs whose study is not in this store
FILES = (
    *(run_files.LOCK, MANIFEST, SUMMARY, run_files.CONFIG, run_files.PROVENANCE),
    *(run_files.PREDICTIONS, run_files.SCORECARD, LOG),
)


def log_submission(run_dir: Path, uri: str | None = None) -> str:
    """Log a finished submission run from its files; returns the MLflow run's id. A second call updates the same run.

    Raises:
        UsageError: a file of the run is missing or malformed, or the tracking URI has an unknown scheme.
        PodiumError: MLflow is not installed or refused the run; the submission itself is not touched.
    """
    lock, manifest = read_json(run_dir / run_files.LOCK), read_json(run_dir / MANIFEST)
    complete = manifest["state"] == "complete"
    summary = read_json(run_dir / SUMMARY) if complete else {}
    where = tracking_uri(uri)
    with store.refusals(f"MLflow did not accept submission {manifest['name']!r}"):
        client = store.open_client(where)
        with _alone():
            return _log(client, where, run_dir, lock, manifest, summary)


def log_missing(name: str | None = None, uri: str | None = None) -> list[str]:
    """Log what MLflow lacks of submission `name`, or of all: runs that ended, and the tags of the promoted trials.

    A process may have been killed, or MLflow unreachable, when they were to be logged. Returns a line for each
    submission of which something could not be logged.

    Raises:
        UsageError: the tracking URI has an unknown scheme.
        PodiumError: MLflow is not installed, or the store cannot be used.
    """
    runs = [submission_dir(name)] if name else sorted((home() / "submission_runs").glob("*"))
    locked = [run_dir for run_dir in runs if (run_dir / run_files.LOCK).is_file()]
    if not locked:
        return []
    where, problems = tracking_uri(uri), []
    with store.refusals(f"MLflow cannot use {redact(where)}"):
        client = store.open_client(where)
    for run_dir in locked:
        try:
            with store.refusals(f"MLflow did not accept submission {run_dir.name!r}"):
                _log_missing(client, where, run_dir)
        except PodiumError as error:
            problems.append(str(error))
    return problems


def _log_missing(client: Any, uri: str, run_dir: Path) -> None:
    lock, everywhere = read_json(run_dir / run_files.LOCK), store.all_experiments(client)
    trial = {"kind": "trial", "study": lock["study"], "trial": str(lock["trial"])}
    for run in store.find_runs(client, everywhere, trial):
        if PROMOTED not in run.data.tags:
            client.set_tag(run.info.run_id, PROMOTED, run_dir.name)
    manifest = read_json(run_dir / MANIFEST) if (run_dir / MANIFEST).is_file() else None
    # A run that can be resumed is logged when it is over, since MLflow takes its metrics once.
    if manifest and manifest["state"] != State.RUNNING and not manifest.get("resumable"):
        found = store.find_runs(client, everywhere, _key(manifest))
        if not found or _is_half_logged(found[0]):
            log_submission(run_dir, uri)


def mark_promoted(promotion: PromotionRecord, name: str, uri: str | None = None) -> None:
    """Tag the trial's run `promoted` with the name of the lock, as a filter; does nothing if the trial has no run.

    Raises:
        UsageError: the tracking URI has an unknown scheme.
        PodiumError: MLflow is not installed or refused the tag.
    """
    where = tracking_uri(uri)
    file = sqlite_file(where)
    if promotion.mlflow_run_id is None or (file and not file.is_file()):
        return
    with store.refusals(f"MLflow did not accept the tag of lock {name!r}"):
        store.open_client(where).set_tag(promotion.mlflow_run_id, PROMOTED, name)


def register_promoted(promotion: PromotionRecord, run_dir: Path, space: str, uri: str | None = None) -> str | None:
    """Register the lock in `run_dir` as a version of the model `space`, with the alias `promoted`.

    The version belongs to the trial's run, which gets the lock among its artifacts. Returns the version; None if the
    trial has no run, or a version has this lock already.

    Raises:
        UsageError: the tracking URI has an unknown scheme.
        PodiumError: MLflow is not installed, or refused it.
    """
    where, run_id = tracking_uri(uri), promotion.mlflow_run_id
    file = sqlite_file(where)
    if run_id is None or (file and not file.is_file()):
        return None
    lock = read_json(run_dir / run_files.LOCK)
    with store.refusals(f"MLflow did not register lock {run_dir.name!r}"):
        client = store.open_client(where)
        folder = f"{LOCK_FOLDER}/{run_dir.name}"
        client.log_artifact(run_id, str(run_dir / run_files.LOCK), folder)
        if not client.search_registered_models(f"name='{space}'"):
            client.create_registered_model(space, description="What podium promote locked; `promoted` is the newest.")
        tags = {"lock_id": lock["lock_id"], "submission": run_dir.name, "study": lock["study"], "trial": lock["trial"]}
        known = client.search_model_versions(f"name='{space}'")
        if any(version.tags.get("lock_id") == lock["lock_id"] for version in known):
            return None
        made = client.create_model_version(
            space,
            f"runs:/{run_id}/{folder}",
            run_id,
            tags=store.texts(tags),
            description=f"{lock['metric']} {lock['value']} in the sweep; {lock.get('verdict', 'unconfirmed')}",
        )
        client.set_registered_model_alias(space, PROMOTED, made.version)
        return str(made.version)


def _alone() -> contextlib.AbstractContextManager[None]:
    """Two processes that log one submission at once would make two runs of it."""
    workspace().mkdir(parents=True, exist_ok=True)
    return one_creator(workspace() / "submissions")


def _key(manifest: dict[str, Any]) -> dict[str, str]:
    """The tags by which a submission's run is found."""
    return {"kind": "submission", "submission": manifest["name"], "lock_id": manifest["lock_id"]}


def _is_half_logged(run: Any) -> bool:
    """Whether a process was killed while it logged the run: the status is written last."""
    return bool(run.info.status == store.STATUS[State.RUNNING])


def _log(
    client: Any, uri: str, run_dir: Path, lock: dict[str, Any], manifest: dict[str, Any], summary: dict[str, Any]
) -> str:
    everywhere = store.all_experiments(client)
    studies = store.find_runs(client, everywhere, {"study": lock["study"], "kind": "study"})
    key = _key(manifest)
    found = store.find_runs(client, everywhere, key)
    start_ms, end_ms = _span_ms(manifest)
    run = found[0] if found else _create_run(client, uri, studies, key, start_ms)
    run_id = str(run.info.run_id)
    if end_ms and end_ms < run.info.start_time:  # an earlier version logged it; a start cannot be changed
        end_ms = run.info.end_time
    if _is_half_logged(run):
        time_ms = end_ms or now_ms()
        logged = logged_points(MetricsLog(run_dir / run_files.METRICS).lines(), time_ms)
        store.log(client, run_id, [*logged, *_results(manifest, summary, time_ms)], {})
    tags = {
        "state": manifest["state"],
        "study": lock["study"],
        "trial": lock["trial"],
        "reason": manifest.get("reason"),
    }
    params = {param_name(key): param_value(value) for key, value in lock["overrides"].items()}
    store.log(client, run_id, [], tags, params)
    store.log_files(client, run_id, [run_dir / name for name in FILES])
    tables.log_tables(client, run_id, run_dir)
    store.log_datasets(client, run_id, _datasets(lock))
    # A manifest that still says `running` is of a process that was killed.
    others = {"running": State.FAILED, "unscored": State.COMPLETE}  # podium/submission/manifest.py
    state = others.get(manifest["state"]) or State(manifest["state"])
    client.set_terminated(run_id, status=store.STATUS[state], end_time=end_ms)
    return run_id


def _create_run(client: Any, uri: str, studies: list[Any], key: dict[str, str], start_ms: int | None) -> Any:
    """Create a submission's run, below its study if that is in this store."""
    experiment = studies[0].info.experiment_id if studies else store.experiment_id(client, EXPERIMENT, uri)
    parent = {store.PARENT: studies[0].info.run_id} if studies else {}
    return client.create_run(experiment, start_ms, {**key, **parent}, f"submission {key['submission']}")


def _span_ms(manifest: dict[str, Any]) -> tuple[int | None, int | None]:
    """When the command began and ended, in ms since 1970; None for a time that the manifest does not have."""
    claimed, end = (
        int(1000 * datetime.fromisoformat(manifest[name]).timestamp()) if name in manifest else None
        for name in ("claimed_at", "ended_at")
    )
    if claimed is None or end is None:
        return claimed, end
    return min(claimed, end - int(1000 * manifest["elapsed_s"])), end  # hashing and loading come before the claim


def _datasets(lock: dict[str, Any]) -> list[Any]:
    config = parse_config(lock["config"], run_files.LOCK)
    hashes = lock["hashes"]
    known = {"evalset_sha256": hashes["evalset"]}
    known[f"trainset_sha256 of {config.data.trainset}"] = hashes["trainset/traces.jsonl"]
    return datasets.inputs(config, known)


def _results(manifest: dict[str, Any], summary: dict[str, Any], time_ms: int) -> list[store.Point]:
    step = int(manifest.get("steps_trained") or 0)
    values: dict[str, Any] = {name: summary[name] for name in ("primary_score", "final_loss") if name in summary}
    for split, card in summary.get("splits", {}).items():
        values[f"{split}/answer_correctness"] = card["answer_correctness"]
    return [(name, float(value), step, time_ms) for name, value in values.items()]
