"""The committed JSON Schemas are those of the code, and accept what a run writes."""

import json

import jsonschema
import pytest

from podium.submission.json_schemas import FOLDER, RECORDS, schema_path, schema_text

# Keys that reviewers and other tools read. A schema may gain keys; these it must not lose.
KEPT = {
    "run_manifest": {
        *("run_version", "model_id", "dataset", "eval_set", "config_path", "command", "commit_sha", "timestamp"),
        *("tuning_job_id", "trial_id", "lock_id", "kaggle_notebook_url", "kaggle_notebook_version", "kaggle_run_id"),
        *("notes", "environment", "durations_s", "interruptions", "interrupted_s", "not_applicable", "evidence_id"),
        *("state", "reason", "ended_at", "elapsed_s", "time_budget_s", "steps_locked", "steps_trained", "truncated"),
        *("manifest_version", "name", "claim_id", "claimed_at", "files", "test", "resumable"),
    },
    "eval_summary": {
        *("run_version", "eval_set", "metrics", "primary_score", "scorecard", "predictions_path", "evaluated_at"),
        *("summary_version", "lock_id", "model_id", "dataset", "split", "splits", "final_loss", "n_items", "n_scored"),
        *("n_ended_by_length", "n_truncated", "n_dropped", "challenges"),
    },
    "predictions_meta": {
        *("evalset", "split", "max_items", "challenges", "model_id", "step", "config_sha256", "generate", "lock_id"),
        *("n", "finish_reasons", "sha256"),
    },
    "package_manifest": {"package_version", "name", "date", "lock_id", "files"},
}
FILES = {name: f"{name}.json" for name in ("lock", "run_manifest", "eval_summary", "predictions_meta")}


@pytest.mark.parametrize("name", RECORDS)
def test_a_committed_schema_is_that_of_the_code(name):
    assert schema_path(name).read_text() == schema_text(name), "run `python -m podium.submission.json_schemas`"
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text(name)))


def test_every_committed_schema_belongs_to_a_record():
    assert {path.name for path in FOLDER.iterdir()} == {schema_path(name).name for name in RECORDS}


@pytest.mark.parametrize("name", KEPT)
def test_evidence_does_not_lose_a_key(name):
    assert KEPT[name] <= set(json.loads(schema_text(name))["properties"])


@pytest.mark.parametrize("name", FILES)
def test_what_a_run_writes_is_valid(name, finished):
    written = json.loads((finished / "submission_runs/done" / FILES[name]).read_text())
    jsonschema.validate(written, json.loads(schema_path(name).read_text()))


def test_a_null_is_not_valid(finished):
    written = json.loads((finished / "submission_runs/done/run_manifest.json").read_text())
    schema = json.loads(schema_path("run_manifest").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**written, "kaggle_run_id": None}, schema)
