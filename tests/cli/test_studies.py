"""The commands that look at studies: what they print, and that --json is JSON."""

import json

import pytest

from podium.core.paths import study_dir
from podium.core.states import State
from tests.submission.small import write_study
from tests.tuning.conftest import NO_FAILURE


@pytest.fixture
def study(home) -> str:
    return write_study(home, (State.COMPLETE, 40.0), (State.PRUNED, None), (State.COMPLETE, 60.0))


@pytest.mark.usefixtures("study")
def test_studies(podium):
    lines = podium("studies").out.splitlines()
    assert lines[0].split() == ["study", "trials", "states", "best", "metric"]
    assert lines[1].split()[:2] == ["small-001", "3"]
    assert lines[1].endswith("2 complete, 1 pruned  60.00 (trial 2)  dev/answer_correctness")
    (row,) = json.loads(podium("studies", "--json").out)
    assert (row["study"], row["best_trial"], row["states"]) == ("small-001", 2, {"complete": 2, "pruned": 1})


def test_no_studies(podium):
    assert podium("studies").out == "no studies yet; `podium sweep SPACE.yaml` creates one\n"
    assert json.loads(podium("studies", "--json").out) == []


def test_trials(podium, study):
    lines = podium("trials", study, "--sort", "value").out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["trial", "state"],
        ["2", "complete"],
        ["0", "complete"],
        ["1", "pruned"],
    ]
    assert "lr=0.003" in lines[1]
    assert len(podium("trials", study, "--state", "pruned").out.splitlines()) == 2
    rows = json.loads(podium("trials", study, "--json").out)
    assert [row["overrides"]["train.learning_rate"] for row in rows] == [0.001, 0.002, 0.003]


def test_show_a_study_and_a_trial(podium, study):
    lines = podium("show", study).out.splitlines()
    assert lines[0] == "study small-001: 3 trials (2 complete, 1 pruned)"
    assert "  train.learning_rate: 0.0001 to 0.1 (log)" in lines
    assert any(line.startswith("  early stopping saved ") for line in lines)
    assert "  best: trial 2, 60.00 at step 0; lr=0.003" in lines
    assert json.loads(podium("show", study, "--json").out)["best_value"] == 60.0

    lines = podium("show", f"{study}/1").out.splitlines()
    assert lines[0] == "trial 1: pruned at step 0, dev/answer_correctness -; loss exploded in trial 1"
    assert "  train.learning_rate: 0.002" in lines
    assert json.loads(podium("show", f"{study}/2", "--json").out)["value"] == 60.0


def test_importance(podium, study):
    lines = podium("importance", study).out.splitlines()
    assert [line.split() for line in lines] == [["parameter", "share"], ["train.learning_rate", "1.000"]]
    assert json.loads(podium("importance", study, "--json").out) == {"train.learning_rate": 1.0}


def test_watching_a_study_that_nothing_runs_shows_how_it_ended(podium, study):
    lines = podium("watch", study).out.splitlines()
    assert lines[0] == "study small-001: 3 trials"
    assert lines[-2:] == ["no sweep runs small-001 now", "next: podium show small-001"]
    assert sum(line.startswith("[") for line in lines) == 3


def test_watching_as_json_is_a_line_for_each_event(podium, study):
    events = [json.loads(line) for line in podium("watch", study, "--json").out.splitlines()]
    assert [(event["event"], event["trial"], event["state"]) for event in events[-2:]] == [
        ("started", 2, "complete"),
        ("finished", 2, "complete"),
    ]
    assert len(events) == 6


def test_what_mlflow_failed_at_is_shown(podium, study):
    account = {"failures": 3, "last_failure": "ConnectionError: refused", "unwritten": [1, 2]}
    summary = study_dir(study) / "summary.json"
    summary.write_text(json.dumps({"mlflow": account}))
    line = "  warning: MLflow failed 3 times (ConnectionError: refused); "
    rest = f"2 trials are missing or out of date there; the next sweep with --resume {study} adds them"
    assert f"{line}{rest}" in podium("show", study).out.splitlines()
    summary.write_text(json.dumps({"mlflow": {**account, "unwritten": []}}))
    assert f"{line}everything was written in the end" in podium("show", study).out.splitlines()
    summary.write_text(json.dumps({"mlflow": {**NO_FAILURE, "unwritten": [1], "study_unwritten": True}}))
    line = "  warning: MLflow was too slow; 1 trial and the study's own run are missing or out of date there; "
    assert f"{line}the next sweep with --resume {study} adds them" in podium("show", study).out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trials", "absent"], "error: study 'absent' not found"),
        (["trials", "small-001", "--state", "done"], "error: --state 'done', must be one of"),
        (["trials", "small-001", "--sort", "loss"], "error: --sort 'loss', must be number, state"),
        (["show", "small-001/7"], "error: study 'small-001' has no trial 7"),
        (["show", "small-001/best"], "error: trial 'best' of 'small-001/best': must be a number, like small-001/0"),
        (["watch", "absent"], "error: study 'absent' not found"),
        (["importance", "absent"], "error: study 'absent' not found"),
        (["stop", "small-001"], "error: no sweep runs study 'small-001'"),
    ],
)
@pytest.mark.usefixtures("study")
def test_wrong_usage_is_one_line_and_two(podium, arguments, message):
    done = podium(*arguments)
    assert done.code == 2
    assert done.err.startswith(message)
    assert len(done.err.splitlines()) == 1
