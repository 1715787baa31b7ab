"""A real MLflow server that goes away in the middle of a sweep and comes back: nothing is lost, nothing comes twice."""

import os
import socket

import pytest

from podium.core.states import State
from tests.tuning.conftest import NO_FAILURE
from tests.tuning.mlflow_server import MlflowServer
from tuning.tracking import store as mlflow_store

pytestmark = pytest.mark.slow
ANALYTIC = ("dev/answer_correctness", "train/loss")  # metrics whose values follow from the trial alone


@pytest.fixture
def server(tmp_path, migrated, free_port):
    folder = tmp_path / "server"
    folder.mkdir()
    path = folder / "mlflow.db"
    path.write_bytes(migrated.read_bytes())
    server = MlflowServer(folder, free_port, path)
    yield server
    server.stop()


def shown(uri: str, study: str) -> dict[str, dict[str, object]]:
    """What a store shows of a study, without ids and times; fails where a run is there twice."""
    client = mlflow_store.open_client(uri)
    runs = mlflow_store.find_runs(client, mlflow_store.all_experiments(client), {"study": study})
    found = {}
    for run in runs:
        assert run.info.run_name not in found
        kept = ("kind", "state", "trial", "program_key")
        histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
        found[run.info.run_name] = {
            "status": run.info.status,
            "params": run.data.params,
            "tags": {key: run.data.tags.get(key) for key in kept},
            "metrics": sorted(run.data.metrics),
            "points": {name: _points(histories[name]) for name in ANALYTIC if name in histories},
            "steps": {name: [entry.step for entry in entries] for name, entries in histories.items()},
            "datasets": [used.dataset.digest for used in run.inputs.dataset_inputs],
            "files": [file.path for file in client.list_artifacts(run.info.run_id)],
        }
    return found


def _points(entries) -> list[tuple[int, float]]:
    return [(entry.step, entry.value) for entry in entries]


def test_a_server_that_is_away_in_mid_sweep_loses_nothing(run_sweep, server):
    server.start()
    undisturbed = run_sweep({"trials": 8}, name="calm", tracking_uri=server.uri)
    assert undisturbed.summary["mlflow"] == NO_FAILURE

    def interrupt(event) -> None:
        if event.kind == "reported" and (event.trial.number, event.trial.step) == (2, 30):
            server.stop()
        if event.kind == "finished" and event.trial.number == 5:
            server.start()

    disturbed = run_sweep({"trials": 8}, name="rough", tracking_uri=server.uri, listeners=[interrupt])
    assert disturbed.summary["mlflow"]["failures"] > 0
    assert disturbed.summary["mlflow"]["unwritten"] == []
    calm, rough = shown(server.uri, "calm"), shown(server.uri, "rough")
    assert len(calm) == 9
    assert {name: run for name, run in rough.items() if name != "rough"} == {
        name: run for name, run in calm.items() if name != "calm"
    }
    assert all(trial.mlflow_run_id for trial in disturbed.trials)


def test_a_server_that_stays_away_is_made_up_for_by_the_next_sweep(run_sweep, server, monkeypatch):
    monkeypatch.setattr("tuning.tracking.tracker.CLOSE_WHEN_DOWN_S", 1.0)
    study = run_sweep({"trials": 4}, name="alone", tracking_uri=server.uri)
    assert [trial.state for trial in study.trials].count(State.COMPLETE) >= 1
    assert study.summary["mlflow"]["failures"] > 0
    assert study.summary["mlflow"]["unwritten"] == [0, 1, 2, 3]
    assert "Connection" in study.summary["mlflow"]["last_failure"]
    server.start()
    later = run_sweep({"trials": 5}, resume="alone", tracking_uri=server.uri)
    assert later.summary["mlflow"]["unwritten"] == []
    found = shown(server.uri, "alone")
    assert len(found) == 6
    for trial in later.trials:
        points = next(run["points"] for run in found.values() if run["tags"]["trial"] == str(trial.number))
        assert dict(points.get("dev/answer_correctness", [])) == trial.reports
    again = run_sweep({"trials": 6}, resume="alone", tracking_uri=server.uri)
    assert len(shown(server.uri, "alone")) == len(again.trials) + 1
    assert {name: run for name, run in shown(server.uri, "alone").items() if name in found and name != "alone"} == {
        name: run for name, run in found.items() if name != "alone"
    }


def test_a_server_that_hangs_holds_up_nothing(run_sweep, free_port, monkeypatch):
    """It takes connections and never answers."""
    monkeypatch.setattr("tuning.tracking.tracker.CLOSE_TIMEOUT_S", 1.0)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", free_port))
        deaf.listen(100)
        study = run_sweep({"trials": 4}, tracking_uri=f"http://127.0.0.1:{free_port}")
    assert len(study.trials) == 4
    assert study.summary["mlflow"]["unwritten"] == [0, 1, 2, 3]
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "10"
