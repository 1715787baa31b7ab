import json

import pytest
from pydantic import ValidationError

from eval.sets.evalset import load_evalset
from podium.core.config import parse_config
from podium.core.errors import UsageError
from podium.core.run_files import JOURNAL
from podium.core.states import State
from podium.submission import evidence
from podium.submission.evidence import EVIDENCE
from podium.submission.lock import read_lock
from podium.submission.manifest import RunManifest, write
from tests.submission.small import promotion

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
        RunManifest(**RUN, **facts)


def test_a_running_manifest_has_no_end():
    assert RunManifest(**RUN, state=State.RUNNING).ended_at is None


def test_evidence_with_a_gap_is_not_written(tmp_path):
    manifest = RunManifest(**RUN, **ENDED, state=State.FAILED, reason="TODO")
    with pytest.raises(UsageError, match=r"run_manifest\.json\.reason='TODO': evidence must hold no null"):
        write(tmp_path / "run_manifest.json", manifest)
    assert list(tmp_path.iterdir()) == []


def test_the_summary_follows_from_the_files(done_home):
    lock, folder = read_lock("done"), run_dir(done_home)
    written = (folder / "eval_summary.json").read_bytes()
    write(folder / "again.json", evidence.summarise(lock, folder, evidence.score(lock, folder)))
    assert (folder / "again.json").read_bytes() == written
    answers = {item["id"]: item["expected_answer"] for item in read_lines(done_home / "evalsets/small_v1.jsonl")}
    lines = read_lines(folder / "predictions.jsonl")
    assert {line["id"] for line in lines} == set(answers)
    # With the right answers in place of what the model wrote, the same computation gives the full score.
    right = [json.dumps({"id": line["id"], "text": answers[line["id"]]}) for line in lines]
    (folder / "predictions.jsonl").write_text("\n".join(right[1:]) + "\n")
    summary = evidence.summarise(lock, folder, evidence.score(lock, folder))
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
    assert set(evidence.hash_files(run_dir(done_home))) == {*EVIDENCE, JOURNAL}
    (run_dir(done_home) / "metrics.jsonl").unlink()
    with pytest.raises(UsageError, match=r"cannot read .*metrics\.jsonl"):
        evidence.hash_files(run_dir(done_home))


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_config():
    return parse_config(promotion().config, "test")
