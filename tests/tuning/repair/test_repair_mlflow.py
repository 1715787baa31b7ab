"""A repair brings MLflow up to date with the study."""

import os
import subprocess
import sys

import pytest

from tests.tuning.repair.test_repair import files
from tuning.repair import repair_study
from tuning.tracking import store as mlflow_store
from tuning.tracking.shown import shown_trials

SHORT = {"trials": 3, "scheduler": "none", "report_every_steps": 30}


def test_what_mlflow_does_not_show_is_written(run_sweep, store):
    study, uri = run_sweep(SHORT, name="behind"), f"sqlite:///{store}"
    assert not repair_study("behind")
    shown, before = shown_trials("behind", uri), files(study.dir)
    mlflow_store.open_client(uri).set_tag(shown[1][1], "state", "running")
    (study.trial(0).dir / "mlflow_run_id").write_bytes(b"\xff")
    found = repair_study("behind")
    assert found.lost == [] and len(found.done) == 3
    assert found.done[-1] == f"MLflow at {uri}: wrote the trials 1"
    assert (shown_trials("behind", uri), files(study.dir)) == (shown, before)
    assert not repair_study("behind")


@pytest.mark.slow
def test_a_damaged_store_begins_anew_and_other_studies_come_back_when_asked(run_sweep, store):
    uri = f"sqlite:///{store}"
    for name in ("one", "two"):
        run_sweep(SHORT, name=name)
    for log in store.parent.glob("mlflow.db-*"):
        log.unlink()
    data = store.read_bytes()
    store.write_bytes(data[:100] + os.urandom(8000) + data[8100:])
    # Each in a process of its own: this one still has the whole store in SQLite's cache.
    wrote = f"MLflow at {uri}: wrote the trials 0, 1, 2"
    begun_anew, *done, lost = repair("one")
    assert begun_anew == f"{store} is damaged: kept as mlflow.db.damaged-1, and begun anew"
    assert lost.startswith(f"lost: {store}: the other studies, until `podium repair STUDY --mlflow`")
    assert done == [wrote]
    assert repair("one") == ["one: nothing is damaged"]
    assert repair("two") == ["two: nothing is damaged"]
    assert repair("two", "--mlflow") == [wrote]
    assert repair("two", "--mlflow") == ["two: nothing is damaged"]


def repair(*arguments: str) -> list[str]:
    command = [sys.executable, "-m", "podium.cli.main", "repair", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
