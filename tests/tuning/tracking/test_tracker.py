import json
import re

import pytest

from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.states import State
from tests.console import ROOT
from tests.tuning.conftest import NO_FAILURE, fates
from trainer.run.metrics_log import MetricsLog
from tuning.candidates import record
from tuning.study.study import load_study
from tuning.tracking import log_missing, log_submission, mark_promoted, server
from tuning.tracking import store as mlflow_store
from tuning.tracking.runs import run_name
from tuning.tracking.server import server_command
from tuning.tracking.tracker import BACK_OFF_S

SCORE = "dev/answer_correctness"
ENDED_MS = 1_795_154_460_000  # 2026-11-20T06:01:00Z


@pytest.fixture
def client(store):
    return mlflow_store.open_client(f"sqlite:///{store}")


def runs(client, **tags) -> dict[str, object]:
    """Runs with these tags, by their `trial` tag, or by name."""
    found = mlflow_store.find_runs(client, mlflow_store.all_experiments(client), tags)
    names = [run.data.tags.get("trial", run.info.run_name) for run in found]
    assert len(set(names)) == len(names), f"two runs of one trial: {names}"
    return dict(zip(names, found, strict=True))


def points(client, run, metric: str) -> dict[int, float]:
    return {entry.step: entry.value for entry in client.get_metric_history(run.info.run_id, metric)}


def test_a_study_is_a_run_and_its_trials_are_runs_under_it(run_sweep, client):
    study = run_sweep({"trials": 6})
    parent = runs(client, study=study.name, kind="study")[study.name]
    assert (parent.info.status, parent.data.tags["state"]) == ("FINISHED", "complete")
    assert parent.data.metrics[f"best/{SCORE}"] == study.best().value
    assert f"Best: [trial-{study.best().number:03d}](#/experiments/" in parent.data.tags["mlflow.note.content"]
    children = runs(client, study=study.name, kind="trial")
    assert sorted(children, key=int) == [str(trial.number) for trial in study.trials]
    for trial in study.trials:
        run = children[str(trial.number)]
        tags = run.data.tags
        assert tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.run_id == trial.mlflow_run_id
        assert (tags["state"], tags["program_key"]) == (trial.state, trial.config.program_key)
        (dataset,) = run.inputs.dataset_inputs
        assert (dataset.dataset.name, dataset.dataset.digest) == ("tiny_v1", "e" * 16)
        assert {tag.key: tag.value for tag in dataset.tags} == {"mlflow.data.context": "dev"}
        assert points(client, run, SCORE) == trial.reports
        assert run.data.params["learning_rate"] == f"{trial.config.train.learning_rate:.4g}"
    assert children["0"].info.run_name == "trial-000 baseline"
    assert children["1"].info.run_name == run_name(study.trial(1)) == "trial-001 lr=0.00841 wd=0.064"


def test_per_step_metrics_artifacts_and_status(run_sweep, client):
    study = run_sweep({"trials": 6})
    children = runs(client, study=study.name, kind="trial")
    by_state = {trial.state: children[str(trial.number)] for trial in study.trials}
    complete = by_state[State.COMPLETE]
    assert points(client, complete, "train/loss") == {step: pytest.approx(1 / step) for step in range(10, 91, 10)}
    assert [file.path for file in client.list_artifacts(complete.info.run_id)] == ["config.yaml"]
    statuses = {state: run.info.status for state, run in by_state.items()}
    assert statuses == {State.COMPLETE: "FINISHED", State.PRUNED: "FINISHED", State.DIVERGED: "FAILED"}
    assert by_state[State.PRUNED].data.tags["state"] == "pruned"
    assert by_state[State.DIVERGED].data.tags["reason"] == "loss exploded at step 5"


def test_every_state_has_a_status_which_the_docs_say():
    table = (ROOT / "docs/mlflow.md").read_text().split("| state | MLflow's status |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (`.*`) \| ([A-Z]+)", table, re.MULTILINE)
    said = {State(state): status for states, status in rows for state in re.findall("`([^`]+)`", states)}
    assert said == mlflow_store.STATUS
    assert set(said) == set(State)
    failed = {state for state, status in mlflow_store.STATUS.items() if status == "FAILED"}
    assert failed == {State.DIVERGED, State.INFEASIBLE, State.OOM, State.FAILED}


def test_a_store_of_an_earlier_version_gets_the_status_of_today_and_keeps_its_times(run_sweep, client):
    study = run_sweep({"trials": 6})
    pruned = [str(trial.number) for trial in study.trials if trial.state is State.PRUNED]
    before = runs(client, study=study.name, kind="trial")
    for number in pruned:
        client.set_terminated(before[number].info.run_id, "KILLED", before[number].info.end_time)
    run_sweep({"trials": 7}, resume=study.name)
    after = runs(client, study=study.name, kind="trial")
    assert pruned
    for number in pruned:
        info = after[number].info
        assert (info.status, info.end_time) == ("FINISHED", before[number].info.end_time)


def test_a_resume_makes_no_second_runs_and_logs_nothing_twice(run_sweep, client):
    stopped = run_sweep(ask=("stop-7",))
    children = runs(client, study=stopped.name, kind="trial")
    assert (children["7"].data.tags["state"], children["7"].info.status) == ("stopped", "KILLED")
    study = run_sweep(resume=stopped.name)
    again = runs(client, study=study.name, kind="trial")
    assert len(runs(client, study=study.name, kind="study")) == 1
    assert len(again) == 12
    assert {number: run.info.run_id for number, run in again.items() if number in children} == {
        number: run.info.run_id for number, run in children.items()
    }
    assert again["7"].data.tags["state"] == study.trial(7).state == "pruned"
    history = client.get_metric_history(again["7"].info.run_id, "train/loss")
    assert [entry.step for entry in history] == [10, 20, 30]
    assert {trial.mlflow_run_id for trial in study.trials} == {run.info.run_id for run in again.values()}


@pytest.fixture
def outages(monkeypatch):
    """`outages(n)`: the next n times that the store is opened, it is not there."""
    real, left = mlflow_store.open_client, []

    def open_client(uri):
        if left:
            left.pop()
            raise ConnectionError("connection refused")
        return real(uri)

    monkeypatch.setattr(mlflow_store, "open_client", open_client)
    monkeypatch.setattr("tuning.tracking.tracker.BACK_OFF_S", (0.0,) * len(BACK_OFF_S))
    return lambda n: left.extend(range(n))


def test_a_store_that_is_away_for_a_while_loses_nothing(run_sweep, client, outages):
    outages(5)
    study = run_sweep({"trials": 3})
    assert study.summary["mlflow"]["failures"] == 5
    assert study.summary["mlflow"]["unwritten"] == []
    children = runs(client, study=study.name, kind="trial")
    assert {int(number): run.data.tags["state"] for number, run in children.items()} == {
        trial.number: trial.state for trial in study.trials
    }
    assert points(client, children["0"], SCORE) == study.trial(0).reports


def test_a_dead_store_does_not_stop_a_sweep_and_the_next_one_makes_up_for_it(run_sweep, client, outages, monkeypatch):
    monkeypatch.setattr("tuning.tracking.tracker.CLOSE_WHEN_DOWN_S", 0.1)
    outages(10**6)
    study = run_sweep({"trials": 3})
    events = MetricsLog(study.trial(0).dir / "events.jsonl").lines()
    assert [line["event"] for line in events] == ["started", *["reported"] * 8, "finished"]
    assert [line["step"] for line in events if "step" in line] == list(range(10, 91, 10))
    assert [trial.state for trial in study.trials] == [State.COMPLETE] * 3
    assert study.summary["mlflow"]["unwritten"] == [0, 1, 2]
    assert study.summary["mlflow"]["last_failure"] == "ConnectionError: connection refused"
    assert runs(client, study=study.name, kind="trial") == {}
    monkeypatch.undo()
    monkeypatch.chdir(study.dir.parents[2])
    monkeypatch.setenv("PODIUM_HOME", str(study.dir.parents[2]))
    caught_up = run_sweep({"trials": 3}, resume=study.name)  # nothing is left to run
    assert caught_up.summary["mlflow"] == NO_FAILURE
    assert len(runs(client, study=study.name, kind="trial")) == 3
    later = run_sweep({"trials": 4}, resume=study.name)
    children = runs(client, study=study.name, kind="trial")
    assert len(children) == 4
    assert points(client, children["1"], SCORE) == later.trial(1).reports
    assert fates(load_study(study.name)) == fates(later)


def test_infinities_and_nan_are_left_out(client):
    run_id = client.create_run("0").info.run_id
    values = [("a", float("nan"), 1, 0), ("a", float("inf"), 2, 0), ("a", 3.0, 3, 0)]
    mlflow_store.log(client, run_id, values, {})
    assert {entry.step: entry.value for entry in client.get_metric_history(run_id, "a")} == {3: 3.0}


@pytest.fixture
def submission(home):
    """The files of a finished submission run that this package reads."""
    run_dir = home / "submission_runs" / "final"
    run_dir.mkdir(parents=True)

    def write(study: str) -> None:
        files = {
            "lock.json": {
                "study": study,
                "trial": 1,
                "overrides": {"train.learning_rate": 0.01},
                "config": RunConfig().model_dump(mode="json"),
                "hashes": {"evalset": "e" * 64, "trainset/traces.jsonl": "f" * 64},
            },
            "run_manifest.json": {
                "name": "final",
                "lock_id": "a" * 64,
                "state": "complete",
                "steps_trained": 90,
                "claimed_at": "2026-11-20T06:00:00+00:00",
                "ended_at": "2026-11-20T06:01:00+00:00",
                "elapsed_s": 62.5,
            },
            "eval_summary.json": {
                "primary_score": 0.75,
                "final_loss": 0.5,
                "splits": {"holdout": {"answer_correctness": 75.0}},
            },
        }
        for name, values in files.items():
            (run_dir / name).write_text(json.dumps(values))
        (run_dir / "metrics.jsonl").write_text('{"step": 10, "loss": 0.9, "learning_rate": 0.1, "phase": "train"}\n')

    write("small-001")
    return run_dir


def test_a_submission_is_shown_beside_its_study_once(run_sweep, client, submission):
    study = run_sweep({"trials": 2})
    run_id = log_submission(submission)
    assert log_submission(submission) == run_id
    run = runs(client, kind="submission")["1"]
    assert (run.info.start_time, run.info.end_time) == (ENDED_MS - 62_500, ENDED_MS)
    assert {entry.timestamp for entry in client.get_metric_history(run_id, "train/loss")} == {ENDED_MS}
    assert run.data.tags["mlflow.parentRunId"] == runs(client, study=study.name, kind="study")[study.name].info.run_id
    assert (run.data.tags["state"], run.info.status, run.info.run_name) == ("complete", "FINISHED", "submission final")
    assert run.data.metrics == {
        "primary_score": 0.75,
        "final_loss": 0.5,
        "holdout/answer_correctness": 75.0,
        "train/loss": 0.9,
        "train/learning_rate": 0.1,
    }
    assert run.data.params == {"learning_rate": "0.01"}
    assert {used.dataset.digest for used in run.inputs.dataset_inputs} == {"e" * 16, "f" * 16}
    assert {"lock.json", "run_manifest.json", "eval_summary.json"} == {
        file.path for file in client.list_artifacts(run_id)
    }


def test_a_process_that_is_killed_while_it_logs_a_submission(client, submission, monkeypatch):
    """The next command finishes the run that it began; a submission whose process was killed is left alone."""

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    for stage in ("_results", "_datasets"):  # before the metrics, and after them
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(f"tuning.tracking.submissions.{stage}", die)
            log_submission(submission)
        (run,) = runs(client, kind="submission").values()
        assert run.info.status == "RUNNING"
    assert log_missing() == []
    (run,) = runs(client, kind="submission").values()
    assert (run.info.status, run.data.tags["state"]) == ("FINISHED", "complete")
    assert (run.data.metrics["primary_score"], run.data.metrics["train/loss"]) == (0.75, 0.9)
    manifest = json.loads((submission / "run_manifest.json").read_text())
    killed = {**manifest, "lock_id": "b" * 64, "state": "running"}
    (submission / "run_manifest.json").write_text(json.dumps(killed))
    assert log_missing() == []
    assert len(runs(client, kind="submission")) == 1


def test_a_damaged_submission_hides_no_other(client, submission):
    damaged = submission.with_name("damaged")
    damaged.mkdir()
    (damaged / "lock.json").write_text("{")
    (problem,) = log_missing()
    assert problem.startswith(f"{damaged}/lock.json:1: not JSON")
    assert len(runs(client, kind="submission")) == 1


def test_a_promoted_trial_is_tagged(run_sweep, client, monkeypatch):
    monkeypatch.setattr("tuning.candidates._refuse_changed_data", lambda *_: None)  # the analytic worker has none
    monkeypatch.setattr("tuning.candidates._contamination", lambda *_: None)
    study = run_sweep({"trials": 2, "scheduler": "none"})
    mark_promoted(record(study, study.trial(0)), "final")
    (run,) = runs(client, promoted="final").values()
    assert (run.data.tags["trial"], run.info.run_id) == ("0", study.trial(0).mlflow_run_id)
    mark_promoted(record(study, study.trial(0)).model_copy(update={"mlflow_run_id": None}), "other")
    assert runs(client, promoted="other") == {}


def test_a_submission_logged_by_an_earlier_version_keeps_its_times(run_sweep, client, submission):
    study = run_sweep({"trials": 2})
    experiment = runs(client, study=study.name, kind="study")[study.name].info.experiment_id
    tags = {"kind": "submission", "submission": "final", "lock_id": "a" * 64}
    old = client.create_run(experiment, start_time=ENDED_MS + 5_000, tags=tags)
    client.set_terminated(old.info.run_id, end_time=ENDED_MS + 5_052)
    assert log_submission(submission) == old.info.run_id
    info = client.get_run(old.info.run_id).info
    assert (info.status, info.start_time, info.end_time) == ("FINISHED", ENDED_MS + 5_000, ENDED_MS + 5_052)


@pytest.mark.parametrize(
    ("state", "status"), [("stopped", "KILLED"), ("diverged", "FAILED"), ("failed", "FAILED"), ("running", "FAILED")]
)
def test_the_status_of_a_submission_that_did_not_complete(client, submission, state, status):
    manifest = json.loads((submission / "run_manifest.json").read_text())
    if state == "running":  # its process was killed
        del manifest["ended_at"], manifest["elapsed_s"]
    (submission / "run_manifest.json").write_text(json.dumps({**manifest, "state": state}))
    run = client.get_run(log_submission(submission))
    assert (run.info.status, run.data.tags["state"]) == (status, state)
    assert run.info.end_time == ENDED_MS if state != "running" else run.info.end_time >= run.info.start_time


def test_a_submission_whose_study_is_elsewhere_has_a_place_too(client, submission):
    run = client.get_run(log_submission(submission))
    assert client.get_experiment(run.info.experiment_id).name == "submissions"


def test_a_submission_that_mlflow_does_not_take(submission, outages, store):  # noqa: ARG001
    outages(1)
    with pytest.raises(
        PodiumError, match="MLflow did not accept submission 'final': ConnectionError: connection refused"
    ):
        log_submission(submission)


def test_the_ui_is_served_on_this_machine_alone_from_the_same_store(store, free_port):
    command, environment = server_command(free_port)
    assert command[1:5] == ["-m", "mlflow", "server", "--backend-store-uri"]
    assert command[5] == f"sqlite:///{store}"
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_a_free_port_is_found_and_a_server_is_refused(taken_port, monkeypatch):
    assert taken_port < server.free_port(taken_port) <= taken_port + server.NEXT_PORTS
    monkeypatch.setattr(server, "NEXT_PORTS", 0)
    with pytest.raises(UsageError, match=f"--port {taken_port}: it is taken, and so are the next ones"):
        server.free_port(taken_port)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example")
    with pytest.raises(UsageError, match="is already a server; open it in a browser"):
        server_command(taken_port)
