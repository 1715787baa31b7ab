"""The confirmation runs of a promotion in MLflow."""

import pytest

from podium.core.states import State
from tests.submission.small import write_study
from tests.tuning.holdout import HoldoutByChance
from tuning.promotion import promote
from tuning.study.study import load_study
from tuning.tracking import log_confirmations, tracking_uri
from tuning.tracking.store import PARENT, all_experiments, experiment_id, find_runs, open_client


@pytest.fixture
def study(home, store):  # noqa: ARG001, an empty store
    name = write_study(home, (State.COMPLETE, 40.0), (State.COMPLETE, 50.0), n_items=80)
    promote(name, worker=HoldoutByChance, backend="inline", seeds=2)
    return load_study(name)


def confirmations(client):
    return find_runs(client, all_experiments(client), {"kind": "confirmation"})


def test_each_run_is_logged_once_below_its_study(study):
    client = open_client(tracking_uri(None))
    parent = client.create_run(
        experiment_id(client, "small", tracking_uri(None)), tags={"study": study.name, "kind": "study"}
    )
    log_confirmations(study)
    log_confirmations(study)
    runs = confirmations(client)
    assert sorted(run.info.run_name for run in runs) == [
        *("confirm baseline seed=1001", "confirm baseline seed=1002"),
        *("confirm trial 1 seed=1001", "confirm trial 1 seed=1002"),
    ]
    assert {run.data.tags[PARENT] for run in runs} == {parent.info.run_id}
    assert {(run.info.status, run.data.tags["state"]) for run in runs} == {("FINISHED", "complete")}
    assert all(0 < run.data.metrics["holdout/answer_correctness"] < 100 for run in runs)


def test_a_store_without_the_study_gets_nothing(study):
    log_confirmations(study)
    assert confirmations(open_client(tracking_uri(None))) == []
