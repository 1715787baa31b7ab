"""`podium submit NAME --test FILE`: unlabelled items, answered without a score."""

import csv
import json
import signal

import pytest

from podium.core.errors import UsageError
from podium.core.files import write_jsonl, write_text
from podium.core.hashing import sha256_file
from podium.core.records import Prediction, Question
from podium.submission.attempt import Attempt
from podium.submission.ending import RunEnded
from podium.submission.journal import Phase
from podium.submission.lock import write_lock
from podium.submission.packaging.package import package
from podium.submission.run_once import submit
from podium.submission.unlabelled import find_unlabelled, read_unlabelled, write_answers
from podium.submission.verification.folder import verify_folder
from tests.submission import small
from tests.submission.small import edit, promotion, seal, tree
from tests.submission.test_run_once import read, read_lines

ITEMS = [{"id": f"t{n}", "prompt": f"{n} and 1?"} for n in range(5)]


def test_unlabelled_items_have_answers_and_no_score(data_home, monkeypatch):
    write_jsonl(data_home / "test.jsonl", ITEMS)
    write_lock(promotion(), "one")
    enter = Attempt.enter

    def enter_and_stop(attempt, phase, **facts):
        enter(attempt, phase, **facts)
        if phase is Phase.GENERATING and "reason" not in facts:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "enter", enter_and_stop)
        with pytest.raises(RunEnded):
            submit("one", test="test.jsonl", library=small.library())
    with pytest.raises(UsageError, match=r"--test evalsets/small_v1.jsonl: the attempt began with --test test.jsonl"):
        submit("one", resume=True, test="evalsets/small_v1.jsonl", library=small.library())
    manifest = submit("one", resume=True, library=small.library())  # the file is known from the claim

    test = {"path": "test.jsonl", "sha256": sha256_file(data_home / "test.jsonl")}
    assert (manifest.state, manifest.interruptions, manifest.test.model_dump()) == ("unscored", 1, test)
    summary = read(data_home, "eval_summary.json")
    assert {key: summary[key] for key in ("n_items", "n_answered", "n_missing", "test")} == {
        "n_items": 5,
        "n_answered": 5,
        "n_missing": 0,
        "test": test,
    }
    assert not {"primary_score", "splits", "split", "n_scored", "eval_set"} & set(summary)
    assert [line["id"] for line in read_lines(data_home, "predictions.jsonl")] == [item["id"] for item in ITEMS]
    with (data_home / "submission_runs/one/submission.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [item["id"] for item in ITEMS]
    assert not (data_home / "submission_runs/one/scorecard.json").exists()
    assert "submission_runs/one/submission.csv" in package("one").files
    edit(data_home / "submission_runs/one/eval_summary.json", n_answered=4, n_missing=1)
    seal(data_home / "submission_runs/one")
    assert verify_folder(data_home / "submission_runs/one").problems == [
        "eval_summary.json: n_answered=4 does not follow from the predictions, which give 5"
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a", "prompt": "1?"}, {"id": "a", "prompt": "2?"}], r"test\.jsonl:2: id 'a' is there twice"),
        ([{"id": "a"}], r"test\.jsonl:1: .*prompt and messages"),
        ([{"id": "a", "prompt": "1?", "expected_answer": "2"}], r"test\.jsonl:1: .*expected_answer"),
        ([], "holds no items; each needs an id, and a prompt or messages"),
    ],
)
def test_a_malformed_file_is_refused_before_the_claim(data_home, rows, message):
    write_jsonl(data_home / "test.jsonl", rows)
    write_lock(promotion(), "one")
    before = tree(data_home)
    with pytest.raises(UsageError, match=message):
        submit("one", test="test.jsonl", library=small.library())
    assert tree(data_home) == before


def test_a_file_that_changed_is_refused(home):
    write_text(home / "test.csv", "id,prompt\na,1 and 1?\n")
    file = find_unlabelled("test.csv")
    assert read_unlabelled(file, "answer") == [Question(id="a", prompt="1 and 1?")]
    write_text(home / "test.csv", "id,prompt\na,2 and 2?\n")
    with pytest.raises(UsageError, match="differs from the file that the attempt began with"):
        read_unlabelled(file, "answer")


def test_challenges_and_a_test_file_exclude_each_other(data_home):
    from podium.submission import evidence

    write_jsonl(data_home / "test.jsonl", ITEMS)
    config = small_config(**{"eval.challenges": "test.jsonl", "eval.scorer": "arc_grid"})
    with pytest.raises(UsageError, match=r"the lock already answers eval\.challenges='test.jsonl'; leave --test out"):
        evidence.targets(config, find_unlabelled("test.jsonl"))


@pytest.mark.parametrize(
    ("scorer", "texts", "answer"),
    [
        ("answer", ["so <answer>7</answer>"], "7"),
        ("exact", [" so 7 "], "so 7"),
        ("answer", ["<answer>7</answer>", "<answer>8</answer>", "<answer>8</answer>"], "8"),
        ("answer", [], ""),
        ("answer", [" "], ""),
    ],
)
def test_the_competitions_file_has_the_extracted_answer(tmp_path, scorer, texts, answer):
    prompts = [Question(id="a", prompt="3+4?")]
    predictions = [Prediction(id="a", sample=n, text=text) for n, text in enumerate(texts)]
    assert write_answers(tmp_path, prompts, predictions, scorer) == "submission.csv"
    assert (tmp_path / "submission.csv").read_text() == f"id,answer\na,{answer}\n"


def small_config(**changes):
    from podium.core.resolved import ResolvedConfig

    return ResolvedConfig.parse(promotion(**changes).config, "test")


def test_arc_challenges_become_the_competitions_own_file(tmp_path):
    from podium.core.config import RunConfig

    assert RunConfig().eval.challenges is None
    tasks = {"t1": {"train": [{"input": [[1]], "output": [[2]]}], "test": [{"input": [[3]]}]}}
    write_text(tmp_path / "challenges.json", json.dumps(tasks))
    questions = read_unlabelled(find_unlabelled(str(tmp_path / "challenges.json")), "arc_grid")
    predictions = [Prediction(id=questions[0].id, text="<answer>\n4\n</answer>")]
    assert write_answers(tmp_path, questions, predictions, "arc_grid") == "submission.json"
    assert json.loads((tmp_path / "submission.json").read_text())["t1"][0]["attempt_1"] == [[4]]
