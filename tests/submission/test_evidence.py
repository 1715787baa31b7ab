import json

import pytest
from pydantic import ValidationError

from eval.sets.evalset import load_evalset
from eval.sets.predictions import read_scored_set
from podium.core.config import parse_config
from podium.core.errors import UsageError
from podium.core.hashing import sha256_file
from podium.core.run_files import JOURNAL, PREDICTIONS_META
from podium.core.states import State
from podium.submission import evidence
from podium.submission.claim import Claim, UnlabelledFile
from podium.submission.evidence import EVIDENCE
from podium.submission.lock import read_lock
from podium.submission.manifest import MAY_NOT_APPLY, RunManifestV1, make_manifest, read_manifest, write
from podium.submission.summary import summarise
from tests.submission.small import flip, promotion

RUN = {
    "name": "one",
    "lock_id": "a" * 64,
    "claimed_at": "2026-11-20T06:00:00+00:00",
    "time_budget_s": 60.0,
    "steps_locked": 3,
}
ENDED = {"ended_at": "2026-11-20T06:01:00+00:00", "elapsed_s": 60.0}


def run_dir(home):
    return home / "submission_runs" / "done"


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        ({"state": State.COMPLETE, **ENDED}, "steps_trained, truncated, files"),
        ({"state": State.COMPLETE, "steps_trained": 3, "truncated": False, "files": {}}, "ended_at, elapsed_s"),
        ({"state": State.DIVERGED, **ENDED}, "reason"),
    ],
)
def test_a_manifest_says_all_that_its_state_needs(facts, missing):
    with pytest.raises(ValidationError, match=f"needs {missing}"):
        RunManifestV1(**RUN, **facts)


def test_a_running_manifest_has_no_end():
    assert RunManifestV1(**RUN, state=State.RUNNING).ended_at is None


def test_evidence_with_a_gap_is_not_written(tmp_path):
    manifest = RunManifestV1(**RUN, **ENDED, state=State.FAILED, reason="TODO")
    with pytest.raises(UsageError, match=r"run_manifest\.json\.reason='TODO': evidence must hold no null"):
        write(tmp_path / "run_manifest.json", manifest)
    assert list(tmp_path.iterdir()) == []


def test_the_summary_follows_from_the_files(done_home):
    lock, folder = read_lock("done"), run_dir(done_home)
    written = (folder / "eval_summary.json").read_bytes()
    write(folder / "again.json", summarise(lock, folder, evidence.score(lock, folder)))
    assert (folder / "again.json").read_bytes() == written
    answers = {item["id"]: item["expected_answer"] for item in read_lines(done_home / "evalsets/small_v1.jsonl")}
    lines = read_lines(folder / "predictions.jsonl")
    assert {line["id"] for line in lines} == set(answers)
    # With the right answers in place of what the model wrote, the same computation gives the full score.
    right = [json.dumps({"id": line["id"], "text": answers[line["id"]]}) for line in lines]
    (folder / "predictions.jsonl").write_text("\n".join(right[1:]) + "\n")
    summary = summarise(lock, folder, evidence.score(lock, folder))
    assert summary.n_scored == summary.n_items - 1
    assert summary.primary_score == pytest.approx(summary.n_scored / summary.n_items)
    assert summary.splits["dev"]["answer_correctness"] == 100.0


def test_the_summary_is_about_the_holdout_with_dev_beside_it(done_home):
    summary = json.loads((run_dir(done_home) / "eval_summary.json").read_text())
    assert (summary["model_id"], summary["dataset"], summary["eval_set"]) == ("tiny", "small", "small_v1")
    assert summary["split"] == "holdout"
    assert summary["n_items"] == summary["splits"]["holdout"]["n_items"]
    assert summary["n_items"] + summary["splits"]["dev"]["n_items"] == 12
    assert summary["final_loss"] == read_lines(run_dir(done_home) / "metrics.jsonl")[-1]["loss"]
    assert summary["lock_id"] == read_lock("done").lock_id


def test_the_summary_says_how_many_answers_and_examples_were_cut(done_home):
    summary = json.loads((run_dir(done_home) / "eval_summary.json").read_text())
    answers = {line["id"]: line["finish_reason"] for line in read_lines(run_dir(done_home) / "predictions.jsonl")}
    holdout = load_evalset("small_v1").split("holdout")
    by_length = [answers[sample.id] for sample in holdout].count("length")
    assert summary["n_ended_by_length"] == by_length > 0
    assert (summary["n_truncated"], summary["n_dropped"]) == (22, 0)  # of 48 examples, with 32 tokens each
    log = (run_dir(done_home) / "kaggle_output_log.txt").read_text()
    assert "trainset: small, 48 examples of up to 32 tokens; 22 cut, 0 left out\n" in log
    reasons = summary["splits"]["holdout"]["finish_reasons"]
    assert f"holdout: answers ended by {', '.join(f'{name} {count}' for name, count in reasons.items())}\n" in log


def test_what_counts_is_predicted_first(data_home):
    config = read_config()
    splits = evidence.submission_samples(config)
    assert list(splits) == ["holdout", "dev"]
    assert evidence.to_predict(config) == [*splits["holdout"], *splits["dev"]]
    whole = config.with_overrides({"eval.submission_split": "all", "eval.max_items": 5})
    assert [sample.id for sample in evidence.submission_samples(whole)["all"]] == [f"item-{n}" for n in range(5)]
    assert len(evidence.to_predict(whole)) == len({sample.id for sample in evidence.to_predict(whole)})
    assert (data_home / "evalsets/small_v1.jsonl").is_file()


def test_the_result_block_has_its_lines_in_order(done_home):
    summary = json.loads((run_dir(done_home) / "eval_summary.json").read_text())
    log = (run_dir(done_home) / "kaggle_output_log.txt").read_text().splitlines()
    assert log[-8:] == [
        "RESULT SUMMARY",
        "model_id: tiny",
        "dataset: small",
        "eval_set: small_v1",
        f"primary_score: {summary['primary_score']}",
        f"final_loss: {summary['final_loss']}",
        f"n_items: {summary['n_items']}",
        f"n_scored: {summary['n_scored']}",
    ]


def test_every_file_of_the_evidence_is_hashed(done_home):
    assert set(evidence.hash_files(run_dir(done_home))) == {*EVIDENCE, JOURNAL, PREDICTIONS_META}
    (run_dir(done_home) / "metrics.jsonl").unlink()
    with pytest.raises(UsageError, match=r"cannot read .*metrics\.jsonl"):
        evidence.hash_files(run_dir(done_home))


def test_the_manifest_says_what_was_run(done_home):
    manifest, lock = read(done_home, "run_manifest.json"), read_lock("done")
    provenance = read(done_home, "provenance.json")
    assert {key: manifest[key] for key in ("run_version", "model_id", "dataset", "eval_set", "config_path")} == {
        "run_version": "done",
        "model_id": "tiny",
        "dataset": "small",
        "eval_set": "small_v1",
        "config_path": "config.yaml",
    }
    assert (manifest["tuning_job_id"], manifest["trial_id"]) == ("small-001", 3)
    assert (manifest["command"], manifest["timestamp"]) == ("podium submit done", manifest["claimed_at"])
    assert manifest.get("commit_sha") == lock.code_commit
    assert manifest["environment"] == {
        "platform": provenance["machine"]["system"],
        "accelerator": "cpu (1 x cpu)",
        "python": provenance["machine"]["python"],
        "packages": provenance["libraries"],
    }
    absent = {"kaggle_notebook_url", "kaggle_notebook_version", "kaggle_run_id", "notes"}
    assert absent <= set(manifest["not_applicable"]) <= set(MAY_NOT_APPLY)
    assert not set(manifest) & set(manifest["not_applicable"])
    assert "null" not in (run_dir(done_home) / "run_manifest.json").read_text()


def test_the_times_follow_from_the_journal(done_home):
    manifest = read(done_home, "run_manifest.json")
    lines = read_lines(run_dir(done_home) / "attempt.jsonl")
    assert list(manifest["durations_s"]) == sorted(["claimed", "preparing", "training", "generating", "scoring"])
    assert sum(manifest["durations_s"].values()) == pytest.approx(lines[-1]["elapsed_s"]) == manifest["elapsed_s"]
    assert (manifest["interruptions"], manifest["interrupted_s"]) == (0, 0)


def test_what_kaggle_knows_comes_from_its_environment(done_home, monkeypatch):
    monkeypatch.setenv("PODIUM_KAGGLE_NOTEBOOK_VERSION", "7")
    claim = Claim(lock_id="a" * 64, pid=1, host="vm", claimed_at="2026-11-20T06:00:00+00:00")
    manifest = make_manifest(read_lock("done"), claim, run_dir(done_home), state=State.RUNNING)
    assert manifest.kaggle_notebook_version == "7"
    assert "kaggle_notebook_version" not in manifest.not_applicable
    assert "kaggle_run_id" in manifest.not_applicable


def test_no_byte_of_a_manifest_can_change(done_home):
    path = run_dir(done_home) / "run_manifest.json"
    original = path.read_bytes()
    for position in range(0, len(original), 97):
        flip(path, position)
        with pytest.raises(UsageError):
            read_manifest(path)
        path.write_bytes(original)
    assert read_manifest(path).evidence_id


def test_the_summary_has_the_keys_that_other_tools_of_this_layout_read(done_home):
    summary = read(done_home, "eval_summary.json")
    card = summary["splits"]["holdout"]
    assert summary["metrics"] == {
        "answer_correctness": card["answer_correctness"],
        "final_loss": summary["final_loss"],
    }
    assert summary["primary_score"] == summary["metrics"]["answer_correctness"] / 100
    assert summary["scorecard"] == {
        **{key: card[key] for key in ("n_items", "n_scored", "n_skipped", "stddev")},
        "section_scores": {"core": card["answer_correctness"]},
        "category_scores": {"sum": card["answer_correctness"]},
        "difficulty_scores": {"easy": card["answer_correctness"]},
    }
    assert (run_dir(done_home) / summary["predictions_path"]).is_file()
    scoring = [line for line in read_lines(run_dir(done_home) / "attempt.jsonl") if line["phase"] == "scoring"]
    assert summary["evaluated_at"] == scoring[-1]["at"]


def test_the_predictions_say_what_they_answer(done_home):
    meta, predictions = read(done_home, "predictions_meta.json"), run_dir(done_home) / "predictions.jsonl"
    evalset = load_evalset("small_v1")
    assert meta["evalset"] == {"name": "small_v1", "sha256": evalset.sha256}
    assert (meta["n"], meta["step"], meta["sha256"]) == (12, 3, sha256_file(predictions))
    assert read_scored_set(predictions) == evalset.scored_set("all")


def test_a_file_outside_of_home_is_named_without_its_place():
    given = UnlabelledFile(path="/data/of/me/test.jsonl", sha256="a" * 64)
    assert given.for_evidence() == UnlabelledFile(path="test.jsonl", sha256="a" * 64)
    assert UnlabelledFile(path="data/test.jsonl", sha256="a" * 64).for_evidence().path == "data/test.jsonl"


def read(home, file):
    return json.loads((run_dir(home) / file).read_text())


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_config():
    return parse_config(promotion().config, "test")
