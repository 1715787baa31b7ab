import json

import pytest

from eval.scorecard import Scorecard
from eval.sets.evalset import load_evalset
from podium.core.files import write_json, write_jsonl


@pytest.fixture
def predictions(home):
    """Right for the first two thirds of tiny_v1, wrong for the others."""
    samples = load_evalset("tiny_v1").samples
    rows = [
        {"id": sample.id, "text": f"<answer>{sample.expected_answer if number < 320 else '?'}</answer>"}
        for number, sample in enumerate(samples)
    ]
    path = home / "predictions.jsonl"
    write_jsonl(path, rows)
    return path, rows


def test_the_table_and_the_card(podium, home, predictions):
    path, _ = predictions
    done = podium("score", path, "--evalset", "tiny_v1", "--out", home / "scorecard.json")
    assert done.code == 0
    assert "evalset             tiny_v1 (all)" in done.out
    assert "answer_correctness  66.66  (95% " in done.out
    assert "primary_score       0.6666" in done.out
    assert "scorer              answer version 3" in done.out
    assert "lenient             66.66  (95% " in done.out
    assert "items               480: 480 scored, 0 missing" in done.out
    assert "warning" not in done.out
    card = Scorecard.model_validate_json((home / "scorecard.json").read_text())
    assert card.answer_correctness == 200 / 3
    groups = [line.split()[:2] for line in done.out.splitlines()]
    assert ["section", "core"] in groups
    assert ["category", "walk"] in groups
    assert ["difficulty", "hard"] in groups


def test_json_is_the_card_and_nothing_else(podium, predictions):
    path, _ = predictions
    done = podium("score", path, "--evalset", "tiny_v1", "--split", "dev", "--json")
    card = Scorecard.model_validate(json.loads(done.out))
    assert card.evalset.split == "dev"
    assert card.n_items == 246


def test_problems_are_reported_and_strict_fails_on_them(podium, home, predictions):
    path, rows = predictions
    write_jsonl(path, [*rows[:-2], {**rows[-2], "text": " "}, rows[0], {"id": "zz", "text": "1"}, {"id": "a"}])
    problems = (
        f"1 malformed (line 482: text is missing; add it); 1 missing ({rows[-1]['id']}); 1 of unknown id (zz); "
        f"1 repeated ({rows[0]['id']}); 1 unreadable ({rows[-2]['id']}: empty: the prediction holds no text)"
    )
    done = podium("score", path, "--evalset", "tiny_v1")
    assert done.code == 0
    assert f"warning             {problems}" in done.out
    strict = podium("score", path, "--evalset", "tiny_v1", "--strict", "--out", home / "card.json")
    assert strict.code == 1
    assert strict.err == f"error: {path}: {problems}; --strict accepts exactly one readable prediction per item\n"
    assert not (home / "card.json").exists()


def test_strict_is_content_with_one_prediction_an_item(podium, predictions):
    path, _ = predictions
    assert podium("score", path, "--evalset", "tiny_v1", "--strict").code == 0


def test_several_predictions_an_item(podium, predictions):
    path, rows = predictions
    write_jsonl(path, [*rows, *({**row, "sample": 1, "text": "?"} for row in rows)])
    done = podium("score", path, "--evalset", "tiny_v1")
    assert "answer_correctness  33.33  (95% " in done.out
    assert "pass@2              66.66  (95% " in done.out
    assert "majority            66.66  (95% " in done.out
    assert "items               480: 480 scored, 0 missing, 2 predictions each" in done.out


def test_another_scorer(podium, predictions):
    path, _ = predictions
    done = podium("score", path, "--evalset", "tiny_v1", "--scorer", "exact")
    assert "scorer              exact version 1" in done.out
    assert "answer_correctness  0.00" in done.out  # of texts in tags none is the answer and nothing else


def test_predictions_of_another_evalset_are_refused(podium, home, predictions):
    path, _ = predictions
    facts = {"evalset": {"name": "other", "sha256": "0" * 64}, "split": "dev"}
    write_json(home / "predictions_meta.json", facts)
    done = podium("score", path, "--evalset", "tiny_v1")
    assert done.code == 2
    assert "the predictions were made for other (sha256 000000000000), not for tiny_v1" in done.err


@pytest.mark.usefixtures("predictions")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.jsonl", "--evalset", "tiny_v1"), "none.jsonl does not exist; check the path"),
        (("predictions.jsonl", "--evalset", "nope"), "evalset 'nope' not found"),
        (("predictions.jsonl", "--evalset", "tiny_v1", "--split", "test"), "split 'test', must be one of"),
        (
            ("predictions.jsonl", "--evalset", "tiny_v1", "--scorer", "x"),
            "scorer 'x', must be one of answer, exact, numeric",
        ),
    ],
)
def test_wrong_input(podium, arguments, message):
    done = podium("score", *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("text", ["", "not JSON\n"])
def test_a_file_without_any_prediction_is_an_error(podium, home, text):
    path = home / "predictions.jsonl"
    path.write_text(text)
    done = podium("score", path, "--evalset", "tiny_v1")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {path}: ") and done.err.count("\n") == 1
