"""Another process holds MLflow's file: one line without SQL says what was not written, and it is written later."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from podium.core.errors import PodiumError
from tests.tuning.conftest import NO_FAILURE
from tests.tuning.tracking.test_tracker import SCORE, client, points, runs, submission  # noqa: F401  fixtures
from tuning.candidates import record
from tuning.study.overview import mlflow_problem
from tuning.tracking import log_missing, log_submission, mark_promoted, tracker

LOCKED = "OperationalError: database is locked"
HOLDER = """
import sqlite3, sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(store: Path) -> Iterator[None]:
    command = [sys.executable, "-c", HOLDER, str(store)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield
        holder.stdin.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """MLflow waits 20 ms for a lock, not 20 s, and the end of a sweep does not wait for a retry."""
    from mlflow.store.db.utils import sql

    real = sql.text
    monkeypatch.setattr(sql, "text", lambda text: real(text.replace("busy_timeout = 20000", "busy_timeout = 20")))
    monkeypatch.setattr(tracker, "CLOSE_WHEN_DOWN_S", 0.1)


def test_a_sweep_goes_on_and_the_next_one_writes_what_is_missing(run_sweep, client, store, capfd):  # noqa: F811
    with held(store):
        study = run_sweep({"trials": 2, "scheduler": "none"})
    assert capfd.readouterr().err == ""
    account = study.summary["mlflow"]
    assert (account["last_failure"], account["unwritten"], account["study_unwritten"]) == (LOCKED, [0, 1], True)
    rest = "2 trials and the study's own run are missing or out of date there; the next sweep with --resume small-001"
    assert mlflow_problem(study).endswith(f"({LOCKED}); {rest} adds them")
    assert runs(client, study=study.name) == {}
    resumed = run_sweep({"trials": 2, "scheduler": "none"}, resume=study.name)
    assert resumed.summary["mlflow"] == NO_FAILURE
    children = runs(client, study=study.name, kind="trial")
    assert [points(client, children[str(trial.number)], SCORE) for trial in resumed.trials] == [
        trial.reports for trial in resumed.trials
    ]
    assert runs(client, kind="study")[study.name].data.tags["state"] == "complete"


def test_a_submission_and_the_tag_of_its_lock(run_sweep, client, submission, store, monkeypatch):  # noqa: F811
    monkeypatch.setattr("tuning.candidates._refuse_changed_data", lambda *_: None)  # the analytic worker has none
    monkeypatch.setattr("tuning.candidates._contamination", lambda *_: None)
    study = run_sweep({"trials": 2, "scheduler": "none"})
    refused = f"^MLflow did not accept submission 'final': {LOCKED}$"
    with held(store):
        with pytest.raises(PodiumError, match=f"^MLflow did not accept the tag of lock 'final': {LOCKED}$"):
            mark_promoted(record(study, study.trial(1)), "final")
        with pytest.raises(PodiumError, match=refused):
            log_submission(submission)
        (problem,) = log_missing()
        assert problem == f"MLflow did not accept submission 'final': {LOCKED}"
    assert log_missing() == log_missing("final") == []
    assert list(runs(client, kind="submission")) == ["1"]
    assert list(runs(client, kind="trial", promoted="final")) == ["1"]
