import json
import shutil

import pytest

from eval.compare import Comparison
from eval.sets.evalset import load_evalset
from podium.core.files import write_json, write_jsonl
from podium.core.states import State
from tests.submission.small import write_data, write_study


@pytest.fixture
def evalset(home):
    write_data(home)
    return load_evalset("small_v1")


def predict(path, evalset, n_right, split="all", meta=True):
    """The first `n_right` items of the split are right."""
    samples = evalset.split(split)
    rows = [
        {"id": sample.id, "text": sample.expected_answer if number < n_right else "?"}
        for number, sample in enumerate(samples)
    ]
    write_jsonl(path, rows)
    if meta:
        about = {"evalset": {"name": evalset.name, "sha256": evalset.sha256}, "split": split}
        write_json(path.with_name(f"{path.stem}_meta.json"), about)
    return path


def test_prediction_files(podium, home, evalset):
    predict(home / "a.jsonl", evalset, 3)
    predict(home / "b.jsonl", evalset, 9)
    done = podium("compare", "a.jsonl", "b.jsonl", "--html", "page.html", "--out", "c.json", "--items", "2")
    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines()]
    assert ["evalset", "small_v1", "(all):", "12", "items"] in lines
    assert ["scorer", "answer", "version", "3"] in lines
    assert lines[3][:2] == ["a.jsonl", "25.00"] and lines[4][:2] == ["b.jsonl", "75.00"]
    assert ["b.jsonl", "against", "a.jsonl"] in lines
    overall = next(line for line in lines if line[:2] == ["all", "items"])
    assert overall[2:7] == ["12", "6", "0", "3", "50.00"] and overall[-1] == "0.0312"
    assert ["2", "of", "6", "changed", "items"] in lines
    assert ["item-3", "6", "?", "6", "fixed"] in lines
    assert done.out.endswith("written to page.html\nwritten to c.json\n")
    comparison = Comparison.model_validate_json((home / "c.json").read_text())
    assert comparison.pairings[0].overall.points == 50.0
    assert "b.jsonl against a.jsonl" in (home / "page.html").read_text()
    as_json = podium("compare", "a.jsonl", "b.jsonl", "--json")
    assert Comparison.model_validate(json.loads(as_json.out)) == comparison


def test_runs_are_compared_on_what_all_of_them_answered(podium, home, evalset):
    predict(home / "a.jsonl", evalset, 12)
    predict(home / "b.jsonl", evalset, 0, "dev")
    n_dev = len(evalset.split("dev"))
    done = podium("compare", "a.jsonl", "b.jsonl")
    assert f"evalset  small_v1 (dev): {n_dev} items" in done.out
    none = podium("compare", "a.jsonl", "b.jsonl", "--split", "holdout")
    assert none.code == 2
    assert none.err == "error: no item of split holdout was answered by all of a.jsonl, b.jsonl\n"
    predict(home / "c.jsonl", evalset, 0)
    assert "(holdout)" in podium("compare", "a.jsonl", "c.jsonl", "--split", "holdout").out


def test_trials_and_the_submission_that_came_of_one(podium, home, finished):
    shutil.copytree(finished, home, dirs_exist_ok=True)
    study = write_study(home, (State.COMPLETE, 12.5), (State.PRUNED, None))
    evalset = load_evalset("small_v1")
    for number in (0, 1):
        trial = home / f"workspace/studies/{study}/trials/{number:03d}"
        predict(trial / "predictions.jsonl", evalset, 2, "dev")
        shutil.copy(home / "submission_runs/done/config.yaml", trial / "config.yaml")
    write_json(trial / "scorecard.json", {"scorer": "answer", "scorer_version": "1"})
    done = podium("compare", f"{study}/0", f"{study}/1", "done", "submission_runs/done")
    assert done.code == 0, done.err
    n_dev = len(evalset.split("dev"))
    assert f"evalset  small_v1 (dev): {n_dev} items" in done.out
    assert f"done against {study}/0" in done.out
    assert done.err == (
        f"warning: {study}/1 is pruned: its predictions are those of its newest report, at step 0\n"
        f"warning: {study}/1: its scorecard.json is by answer version 1; here everything is scored by answer "
        "version 3, and the two are not comparable\n"
    )


def test_lines_that_do_not_count_are_told(podium, home, evalset):
    predict(home / "a.jsonl", evalset, 3)
    path = predict(home / "b.jsonl", evalset, 3)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-2], "{", lines[0], '{"id": "zz", "text": "1"}']))
    done = podium("compare", "a.jsonl", "b.jsonl", "--json")
    assert done.err == "warning: b.jsonl: 2 items without prediction, 3 lines not used\n"
    assert json.loads(done.out)["runs"][1]["n_missing"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.jsonl",), "1 run to compare, must be two or more"),
        (("a.jsonl", "a.jsonl"), "a.jsonl is given twice; compare different runs"),
        (
            ("a.jsonl", "nope"),
            "'nope' is not a predictions file, a run folder, STUDY/N or a submission; check the name",
        ),
        (("a.jsonl", "x/y/z"), "'x/y/z' is not a predictions file, a run folder"),
        (("a.jsonl", "nope/3"), "study 'nope' not found"),
        (("a.jsonl", "evalsets"), "has no predictions.jsonl; `podium predict --run evalsets` makes one"),
        (("a.jsonl", "b.jsonl", "--split", "test"), "split 'test', must be one of dev, holdout, all"),
        (("a.jsonl", "b.jsonl", "--scorer", "x"), "scorer 'x', must be one of answer"),
        (("a.jsonl", "b.jsonl", "--evalset", "tiny_v1"), "the predictions were made for small_v1 (sha256"),
        (("a.jsonl", "plain.jsonl"), "neither config.yaml nor plain_meta.json names an evalset; give --evalset"),
    ],
)
def test_wrong_input(podium, home, evalset, arguments, message):
    for name in ("a", "b"):
        predict(home / f"{name}.jsonl", evalset, 3)
    predict(home / "plain.jsonl", evalset, 3, meta=False)
    done = podium("compare", *arguments, "--html", "page.html")
    assert (done.code, done.out) == (2, "")
    assert message in done.err and done.err.count("\n") == 1
    assert not (home / "page.html").exists()


def test_two_versions_of_an_evalset_do_not_compare(podium, home, evalset):
    predict(home / "a.jsonl", evalset, 3)
    longer = home / "longer.jsonl"
    facts = {"section": "core", "category": "sum", "difficulty": "easy"}
    write_jsonl(longer, [{"id": "item-1", "prompt": "1 and 1?", "expected_answer": "2", **facts}])
    (home / "run").mkdir()
    predict(home / "run/predictions.jsonl", load_evalset(longer), 1, meta=False)
    (home / "run/config.yaml").write_text(f"eval: {{evalset: {longer}}}")
    done = podium("compare", "a.jsonl", "run")
    assert done.code == 2
    assert "a.jsonl is on small_v1 (" in done.err
    assert ", run on longer (" in done.err
    assert "compare runs on one version of one evalset" in done.err


def test_a_submission_on_another_version_of_its_evalset(podium, home, finished):
    shutil.copytree(finished, home, dirs_exist_ok=True)
    evalset = home / "evalsets/small_v1.jsonl"
    evalset.write_text(evalset.read_text() + "\n")
    done = podium("compare", "done", "submission_runs/done")
    assert done.code == 2
    assert "done was run on small_v1 with sha256 " in done.err
    assert "give that version with --evalset" in done.err
