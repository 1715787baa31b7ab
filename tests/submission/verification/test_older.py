"""Folders of this layout without a lock: every null and placeholder is listed."""

import json

import pytest

from podium.submission.verification.folder import verify_folder

MANIFEST = {
    **{"run_version": "r1", "model_id": "org/model", "dataset": "set-v2", "eval_set": "evalsets/eval.jsonl"},
    **{"config_path": "configs/run.yaml", "command": "python train.py", "commit_sha": "abc", "timestamp": "2025-12-01"},
    **{"tuning_job_id": "job", "trial_id": "t1", "kaggle_notebook_url": "https://example.org/n"},
    **{"kaggle_notebook_version": "3", "kaggle_run_id": "run", "notes": "a run"},
}
CARD = {
    **{"n_items": 4, "n_scored": 4, "n_skipped": 0, "stddev": 1.0, "section_scores": {"core": 50.0}},
    **{"category_scores": {}, "difficulty_scores": {}},
}
SUMMARY = {
    **{"run_version": "r1", "eval_set": "evalsets/eval.jsonl", "primary_score": 0.5, "scorecard": CARD},
    **{"metrics": {"answer_correctness": 50.0, "final_loss": 1.5}, "predictions_path": "output/predictions.jsonl"},
    "evaluated_at": "2025-12-01",
}
NO_LOCK = "there is no lock.json: nothing shows with which config, data and code this was run"


@pytest.fixture
def write(tmp_path):
    def to_folder(manifest=MANIFEST, summary=SUMMARY, log="step 1\n"):
        (tmp_path / "run_manifest.json").write_text(json.dumps(manifest))
        (tmp_path / "eval_summary.json").write_text(json.dumps(summary))
        (tmp_path / "kaggle_output_log.txt").write_text(log)
        (tmp_path / "predictions.jsonl").write_text('{"id": "a", "text": "1"}\n' * 4)
        return verify_folder(tmp_path)

    return to_folder


def test_a_whole_folder_lacks_a_lock_alone(write):
    report = write()
    assert report.problems == [NO_LOCK]
    lines = {check.name: check.line for check in report.checks}
    assert lines["score"] == "primary_score=0.5 is a hundredth of metrics.answer_correctness"
    assert lines["agreement"] == "run_manifest.json and eval_summary.json name the same run and evalset"


def test_a_score_in_points(write):
    report = write(summary={**SUMMARY, "primary_score": 50.0})
    assert report.problems == [NO_LOCK]
    assert "primary_score=50.0 is metrics.answer_correctness" in [check.line for check in report.checks]


def test_a_score_of_neither_scale(write):
    assert write(summary={**SUMMARY, "primary_score": 0.4}).problems[1:] == [
        "primary_score=0.4 is neither metrics.answer_correctness=50.0 nor a hundredth of it"
    ]


def test_every_null_and_placeholder_is_listed(write):
    nulls = {"commit_sha": None, "timestamp": None, "trial_id": "<fill in>", "notes": "TBD"}
    card = {**CARD, "n_scored": None, "section_scores": {"core": None}}
    metrics = {"answer_correctness": None, "final_loss": None}
    report = write({**MANIFEST, **nulls}, {**SUMMARY, "metrics": metrics, "scorecard": card, "primary_score": None})
    assert report.problems == [
        NO_LOCK,
        "run_manifest.json.commit_sha=None: null or a placeholder",
        "run_manifest.json.timestamp=None: null or a placeholder",
        "run_manifest.json.trial_id='<fill in>': null or a placeholder",
        "run_manifest.json.notes='TBD': null or a placeholder",
        "eval_summary.json.primary_score=None: null or a placeholder",
        "eval_summary.json.scorecard.n_scored=None: null or a placeholder",
        "eval_summary.json.scorecard.section_scores.core=None: null or a placeholder",
        "eval_summary.json.metrics.answer_correctness=None: null or a placeholder",
        "eval_summary.json.metrics.final_loss=None: null or a placeholder",
        "primary_score=None, metrics.answer_correctness=None: both must be numbers",
    ]


def test_every_absent_key_is_listed(write):
    manifest = {key: value for key, value in MANIFEST.items() if not key.startswith("kaggle_")}
    card = {key: value for key, value in CARD.items() if key != "stddev"}
    assert write(manifest, {**SUMMARY, "scorecard": card}).problems[1:] == [
        "run_manifest.json.kaggle_notebook_url: absent",
        "run_manifest.json.kaggle_notebook_version: absent",
        "run_manifest.json.kaggle_run_id: absent",
        "eval_summary.json.scorecard.stddev: absent",
    ]
    said = [key for key in MANIFEST if key.startswith("kaggle_")]
    assert write({**manifest, "not_applicable": said}).problems == [NO_LOCK]


@pytest.mark.parametrize("value", [[], 3, "text", None])
def test_what_is_not_an_object(write, value):
    assert any("must be an object" in line for line in write(manifest=value).problems)
    report = write(summary={**SUMMARY, "scorecard": value, "metrics": value})
    assert not report.passed


def test_files_that_are_missing_or_empty(write, tmp_path):
    assert write(log="  \n").problems[1:] == ["kaggle_output_log.txt is empty"]
    for name in ("predictions.jsonl", "kaggle_output_log.txt", "eval_summary.json"):
        (tmp_path / name).unlink()
    problems = verify_folder(tmp_path).problems
    assert any("eval_summary.json does not exist" in line for line in problems)
    assert "kaggle_output_log.txt is not here" in problems


def test_a_log_that_is_a_placeholder(write):
    (problem,) = write(log="# Placeholder: paste the output here\n").problems[1:]
    assert problem.startswith("kaggle_output_log.txt holds a placeholder: ")
