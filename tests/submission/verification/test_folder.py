"""A run's folder is verified from its files: whatever is changed in one of them is found."""

import json
import shutil

import pytest

from podium.core.errors import PodiumError, UsageError
from podium.submission.evidence import EVIDENCE
from podium.submission.manifest import read_manifest, write
from podium.submission.verification.folder import verify_folder
from podium.submission.verification.log import check_log
from tests.submission.small import edit, flip, seal

FILES = (*EVIDENCE, "attempt.jsonl", "predictions_meta.json", "run_manifest.json")


@pytest.fixture
def run_dir(done_home):
    return done_home / "submission_runs" / "done"


def problem(run_dir):
    """The first one: others may follow from it."""
    return verify_folder(run_dir).problems[0]


def test_a_run_verifies(run_dir):
    report = verify_folder(run_dir)
    assert report.problems == []
    assert [check.name for check in report.checks] == [
        *("lock", "manifest", "files", "schemas", "facts", "score", "log")
    ]


def test_a_copy_elsewhere_verifies(run_dir, tmp_path_factory):
    copy = shutil.copytree(run_dir, tmp_path_factory.mktemp("elsewhere") / "copy")
    assert verify_folder(copy).passed


@pytest.mark.parametrize("file", FILES)
def test_no_byte_of_a_run_can_change(run_dir, file):
    path = run_dir / file
    original = path.read_bytes()
    for position in range(0, len(original), max(1, len(original) // 7)):
        flip(path, position)
        assert not verify_folder(run_dir).passed, position
        path.write_bytes(original)
    assert verify_folder(run_dir).passed


def test_a_manifest_that_says_something_else(run_dir):
    path = run_dir / "run_manifest.json"
    changed = read_manifest(path).model_copy(update={"elapsed_s": 1.0})
    write(path, changed.model_copy(update={"evidence_id": changed.content_id()}))
    assert problem(run_dir).startswith("run_manifest.json: elapsed_s=1.0 does not follow from the other files, which ")


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("eval_summary.json", {"primary_score": 0.5}, "eval_summary.json: primary_score=0.5 does not follow from the"),
        ("eval_summary.json", {"evaluated_at": "2026-01-01"}, "eval_summary.json: evaluated_at='2026-01-01' does not"),
        ("eval_summary.json", {"dataset": None}, "eval_summary.json: dataset"),
        ("eval_summary.json", {"dataset": "TODO"}, "eval_summary.json.dataset='TODO': evidence must hold no null"),
        ("predictions_meta.json", {"n": 11}, "predictions_meta.json: n=11 does not follow from the predictions"),
    ],
)
def test_a_change_whose_hash_was_written_anew(run_dir, file, changes, message):
    edit(run_dir / file, **changes)
    seal(run_dir)
    assert problem(run_dir).startswith(message)


def test_other_predictions_give_another_score(run_dir, done_home):
    answers = {}
    for line in (done_home / "evalsets/small_v1.jsonl").read_text().splitlines():
        answers[json.loads(line)["id"]] = json.loads(line)["expected_answer"]
    path = run_dir / "predictions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**row, "text": answers[row["id"]]}) + "\n" for row in rows))
    seal(run_dir)
    assert "does not follow from the predictions" in problem(run_dir)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("primary_score: ", "primary_score: 1", "primary_score: kaggle_output_log.txt has 10.0, eval_summary.json 0.0"),
        ("loss 5.", "loss 4.", "step 3: kaggle_output_log.txt has loss 4."),
        ("JAX ", "jax ", "kaggle_output_log.txt does not say the version of JAX and the devices"),
        ("RESULT SUMMARY", "RESULTS", "kaggle_output_log.txt has no RESULT SUMMARY"),
        (", lock ", ", lock 0", "kaggle_output_log.txt does not say the lock"),
    ],
)
def test_a_log_that_says_something_else(run_dir, old, new, message):
    path = run_dir / "kaggle_output_log.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    seal(run_dir)
    assert problem(run_dir).startswith(message)


def test_a_log_with_too_few_losses(run_dir):
    manifest, summary = (
        json.loads((run_dir / f"{name}.json").read_text()) for name in ("run_manifest", "eval_summary")
    )
    assert check_log(run_dir, manifest, summary).startswith("losses of 1 steps ")
    with pytest.raises(PodiumError, match="has no loss between steps 3 and 30, must have one every 10 steps"):
        check_log(run_dir, {**manifest, "steps_trained": 30}, summary)


@pytest.mark.parametrize("file", ["lock.json", "predictions.jsonl", "run_manifest.json", "attempt.jsonl"])
def test_a_file_that_is_gone(run_dir, file):
    (run_dir / file).unlink()
    assert not verify_folder(run_dir).passed


def test_an_evalset_that_is_not_here(run_dir, done_home):
    (done_home / "evalsets/small_v1.jsonl").unlink()
    assert problem(run_dir).startswith("evalset 'small_v1' not found")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="gone is not a folder of a run; give the NAME of a submission, its folder or"):
        verify_folder(tmp_path / "gone")
