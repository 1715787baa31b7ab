"""Finds runs in MLflow and writes to them in few requests. MLflow's exceptions are passed on."""

import contextlib
import logging
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from podium.core.errors import PodiumError
from podium.core.redaction import named_line
from podium.core.states import State
from tuning.tracking.database import newer_schema, prepare
from tuning.tracking.uri import default_artifacts, is_server, sqlite_file

BATCH = 1000  # metrics per request, MLflow's maximum
PARENT = "mlflow.parentRunId"
# Without this tag MLflow's pages treat the experiment as one on language-model applications, and hide its runs.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
# A run's status in MLflow, whose pages show KILLED and FAILED as errors. The tag `state` has the state itself.
STATUS = {
    State.RUNNING: "RUNNING",
    State.COMPLETE: "FINISHED",
    State.PRUNED: "FINISHED",
    State.STOPPED: "KILLED",
    State.DIVERGED: "FAILED",
    State.INFEASIBLE: "FAILED",
    State.OOM: "FAILED",
    State.FAILED: "FAILED",
}
Point = tuple[str, float, int, int]  # name, value, step, ms since 1970


def open_client(uri: str) -> Any:
    """An MlflowClient on a store that exists and has the current schema; a new SQLite store is created here."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # The tracker waits for a server that is down; no single call may delay the end of a sweep.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    warnings.filterwarnings("ignore", module="mlflow")
    import mlflow

    for name in ("mlflow", "alembic", "urllib3"):  # what fails is raised, and shown once by the caller
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if file := sqlite_file(uri):
        prepare(file)
    client = mlflow.MlflowClient(uri)
    client.search_experiments(max_results=1)  # connects to the store
    return client


def reason(error: BaseException) -> str:
    """One line of at most 300 characters. Of an error of a database it is what the driver says, without the SQL."""
    if newer := newer_schema(str(error)):
        return f"a newer MLflow wrote it ({newer}); install that MLflow, or set MLFLOW_TRACKING_URI to another store"
    cause: BaseException | None = error
    while cause and not hasattr(cause, "orig"):
        cause = cause.__cause__
    return named_line(getattr(cause, "orig", None) or error, 300).partition(" [SQL: ")[0]


@contextlib.contextmanager
def refusals(what: str) -> Iterator[None]:
    """Raises PodiumError, one line that begins with `what`, for whatever MLflow raises."""
    try:
        yield
    except PodiumError:
        raise
    except Exception as error:
        raise PodiumError(f"{what}: {reason(error)}") from error


def experiment_id(client: Any, name: str, uri: str) -> str:
    """The id of the experiment of that name, which is created or restored if necessary."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        # A server has its own place for artifacts; for a database MLflow would put them in the current folder.
        artifacts = None if is_server(uri) else default_artifacts().as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=artifacts, tags=EXPERIMENT_TAGS))
        except MlflowException:
            found = client.get_experiment_by_name(name)
            if found is None:  # else another process has created it in the meantime
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def all_experiments(client: Any) -> list[str]:
    return [experiment.experiment_id for experiment in client.search_experiments()]


def find_runs(client: Any, experiments: Sequence[str], tags: Mapping[str, str]) -> list[Any]:
    """Runs that have all of these tags, in the experiments with these ids."""
    query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    found: list[Any] = []
    token: str | None = None
    while True:
        page = client.search_runs(list(experiments), query, max_results=1000, page_token=token)
        found, token = [*found, *page], page.token
        if not token:
            return found


def mend_status(client: Any, run: Any) -> None:
    """Give the run of an ended trial the status of its state; earlier versions wrote KILLED for a pruned one."""
    state = run.data.tags.get("state")
    expected = {str(known): status for known, status in STATUS.items() if known.is_final}.get(state)
    if expected not in (None, run.info.status):
        client.set_terminated(run.info.run_id, status=expected, end_time=run.info.end_time)


def log(
    client: Any,
    run_id: str,
    points: Sequence[Point],
    tags: Mapping[str, Any],
    params: Mapping[str, Any] | None = None,
) -> None:
    """Write metrics, tags and params in one request per thousand metrics; the tags are written last.

    Tags may be written again with other values, params only with the same. Tags that are None are left out, and so are
    metrics that are not finite: MLflow would store a NaN, and change an infinity to 1.8e308.
    """
    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(name, value, time_ms, step) for name, value, step, time_ms in points if math.isfinite(value)]
    while len(metrics) > BATCH:
        client.log_batch(run_id, metrics=metrics[:BATCH])
        metrics = metrics[BATCH:]
    said = [RunTag(*tag) for tag in texts(tags).items()]
    values = [Param(name, str(value)[:500]) for name, value in (params or {}).items()]
    if metrics or said or values:
        client.log_batch(run_id, metrics=metrics, tags=said, params=values)


def texts(tags: Mapping[str, Any]) -> dict[str, str]:
    """Tags as texts that MLflow accepts; those that are None are left out."""
    return {name: str(value)[:5000] for name, value in tags.items() if value is not None}


def log_datasets(client: Any, run_id: str, inputs: Sequence[Any]) -> None:
    """Add MLflow DatasetInputs to a run; one that it already has is not added again."""
    if inputs:
        client.log_inputs(run_id, inputs)


def log_files(client: Any, run_id: str, files: Iterable[Path]) -> None:
    for file in files:
        if file.is_file():
            client.log_artifact(run_id, str(file))
