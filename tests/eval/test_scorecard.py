import json
import math

import pytest

from eval.scorecard import at_most_text, floored, percent_text, points_text, score_file, score_predictions
from eval.sets.evalset import load_evalset
from podium.core.errors import UsageError
from podium.core.files import write_json, write_jsonl
from podium.core.records import Prediction


def right(*ids: str) -> list[Prediction]:
    return [Prediction(id=id, text="1") for id in ids]


def test_overall_and_groups(sample):
    samples = [
        sample("a", section="x", difficulty="easy"),
        sample("b", section="x", difficulty="hard", category="c"),
        sample("c", section="y", difficulty="hard", category="c"),
    ]
    card = score_predictions(samples, [*right("a", "c"), Prediction(id="b", text="2")])
    assert card.answer_correctness == 200 / 3
    assert card.primary_score == card.answer_correctness / 100
    assert (card.n_items, card.n_scored, card.n_missing, card.n_skipped) == (3, 3, 0, 0)
    assert card.stddev == pytest.approx(100 * math.sqrt(2 / 9))
    assert {name: (group.answer_correctness, group.n_items) for name, group in card.sections.items()} == {
        "x": (50.0, 2),
        "y": (100.0, 1),
    }
    assert {name: group.answer_correctness for name, group in card.categories.items()} == {"c": 50.0, "sum": 100.0}
    assert {name: group.n_items for name, group in card.difficulties.items()} == {"easy": 1, "hard": 2}
    assert [score.id for score in card.scores] == ["a", "b", "c"]
    assert (card.scorer, card.scorer_version, card.evalset) == ("answer", "3", None)


def test_difficulties_come_as_they_rise_and_other_groups_by_the_alphabet(sample):
    given = {"a": ("hard", "y"), "b": ("medium", "z"), "c": ("easy", "x")}
    samples = [sample(id, difficulty=difficulty, section=section) for id, (difficulty, section) in given.items()]
    card = score_predictions(samples, right(*given))
    assert list(card.difficulties) == ["easy", "medium", "hard"]
    assert list(card.sections) == ["x", "y", "z"]


def test_missing_counts_as_wrong_and_extra_lines_are_listed(sample):
    predictions = [*right("zz", "a"), Prediction(id="a", text="2"), *right("zz")]
    card = score_predictions([sample("a"), sample("b")], predictions)
    assert card.answer_correctness == 50.0  # the first prediction for a counts
    assert (card.n_items, card.n_scored, card.n_missing, card.n_skipped) == (2, 1, 1, 3)
    assert (card.unknown_ids, card.duplicate_ids) == (("zz", "zz"), ("a",))
    assert [score.missing for score in card.scores] == [False, True]
    assert card.scores[1].reason.startswith("missing:")


def test_why_predictions_ended_is_counted_of_those_that_were_scored(sample):
    found = [
        Prediction(id="a", text="1", finish_reason="eos"),
        Prediction(id="a", text="1", finish_reason="deadline"),  # a repeat
        Prediction(id="b", text="1", finish_reason="deadline"),
        Prediction(id="c", text="1"),
        Prediction(id="unknown", text="1", finish_reason="stop"),
    ]
    card = score_predictions([sample("a"), sample("b"), sample("c"), sample("d")], found)
    assert card.finish_reasons == {"eos": 1, "deadline": 1}


def test_no_predictions_at_all_is_zero_and_no_samples_is_an_error(sample):
    card = score_predictions([sample("a"), sample("b")], [])
    assert (card.answer_correctness, card.stddev, card.interval, card.n_missing) == (0.0, 0.0, (0.0, 0.0), 2)
    with pytest.raises(UsageError, match="no items to score"):
        score_predictions([], right("a"))


def test_sums_are_exact(sample):
    samples = [sample(str(number)) for number in range(50)]
    card = score_predictions(samples, right(*map(str, range(29))))
    assert card.answer_correctness == 58.0  # 100 * (29 / 50) would be 57.99999999999999
    assert floored(card.answer_correctness) == "58.00"


def test_a_card_survives_json(sample):
    card = score_predictions([sample("a")], right("a"))
    assert type(card).model_validate_json(json.dumps(card.model_dump(mode="json"))) == card


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (99.999, 2, "99.99"),
        (100.0, 2, "100.00"),
        (0.0, 2, "0.00"),
        (66.66666666666667, 2, "66.66"),
        (0.58, 2, "0.58"),
        (1e-9, 4, "0.0000"),
        (12.5, 0, "12"),
    ],
)
def test_nothing_is_rounded_up(value, digits, text):
    assert floored(value, digits) == text


@pytest.fixture
def run(evalset_file, tmp_path):
    """An evalset with items in both splits, and right predictions for all of it."""
    evalset = load_evalset(evalset_file(*({"id": f"i{number}"} for number in range(20))))
    path = tmp_path / "predictions.jsonl"
    write_jsonl(path, [{"id": sample.id, "text": "1"} for sample in evalset.samples])
    return evalset, path


def meta(path, made_for, **values):
    facts = {"evalset": {"name": made_for.name, "sha256": made_for.sha256}, "split": "dev", "n": 3}
    write_json(path.with_name("predictions_meta.json"), {**facts, **values})


def test_a_file_without_meta_is_scored_on_everything_or_on_the_split_asked_for(run):
    evalset, path = run
    assert score_file(path, evalset).n_items == 20
    card = score_file(path, evalset, split="dev")
    assert card.n_items == len(evalset.split("dev")) < 20
    assert card.n_skipped == 0  # predictions for the other split are nobody's mistake
    assert card.evalset == evalset.scored_set("dev")


def test_the_split_of_the_predictions_is_taken_from_their_meta(run):
    evalset, path = run
    meta(path, evalset)
    assert score_file(path, evalset).evalset == evalset.scored_set("dev")
    meta(path, evalset, max_items=2)
    assert score_file(path, evalset).n_items == 2
    meta(path, evalset, split="all")
    assert score_file(path, evalset, split="holdout").evalset == evalset.scored_set("holdout")


def test_predictions_for_something_else_are_refused(run):
    evalset, path = run
    meta(path, evalset)
    with pytest.raises(UsageError, match="the predictions were made for split dev, not all; predict again"):
        score_file(path, evalset, split="all")
    meta(path, evalset, evalset={"name": "other", "sha256": "0" * 64})
    with pytest.raises(UsageError, match=r"made for other \(sha256 0{12}\), not for set"):
        score_file(path, evalset)
    meta(path, evalset, evalset=None)
    with pytest.raises(UsageError, match=r"predictions_meta.json: names no evalset with a name and a sha256"):
        score_file(path, evalset)


def test_a_malformed_prediction_is_named(run):
    evalset, path = run
    lines = ['{"id": "i1", "text": "1"}', '{"id": "i2"}', "", "{", "3", '{"id": "i3", "text": "1", "sample": -1}']
    path.write_text(
        "\n".join([*lines, '{"id": "i4", "text": "1", "n_output_tokens": ' + "9" * 5000 + "}", "[" * 99999])
    )
    card = score_file(path, evalset)
    assert (card.n_scored, card.n_missing, card.n_skipped) == (1, 19, 6)
    reasons = (
        *("line 2: text is missing; add it", "line 4: not JSON (Expecting property name", "line 5: holds int, must be"),
        *(
            "line 6: sample=-1: must be",
            "line 7: not readable as JSON",
            "line 8: not readable as JSON",
        ),
    )
    assert all(found.startswith(reason) for found, reason in zip(card.malformed, reasons, strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty; a line must look like"),
        ("\n \n", "it is empty"),
        ("\ufeff", "it is empty"),
        ('{"id": "i1"}\n{', r"none of its 2 lines is a prediction \(line 1: text is missing; add it\)"),
        (
            '{"id": "z", "text": "1"}',
            r"none of its 1 predictions is for an item of set \(all\); ids are such as 'i0', f",
        ),
    ],
)
def test_a_file_without_any_prediction_is_an_error_and_no_score_of_zero(run, text, message):
    evalset, path = run
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        score_file(path, evalset)


def test_a_byte_order_mark_is_skipped(run):
    evalset, path = run
    plain = score_file(path, evalset)
    path.write_text("\ufeff" + path.read_text())
    assert score_file(path, evalset) == plain
    assert plain.n_skipped == 0


def test_figures_for_people_never_flatter():
    assert [points_text(value) for value in (77.99, 100 * 0.29, -0.01, 0.0)] == ["77.9", "29.0", "-0.1", "0.0"]
    assert [points_text(value, signed=True) for value in (41.06, -2.0, 0.0)] == ["+41.0", "-2.0", "+0.0"]
    assert [at_most_text(value) for value in (6.61, 6.6, 0.0)] == ["6.7", "6.6", "0.0"]
    assert [percent_text(value) for value in (0.0, 0.0005, 0.0401, 1.0)] == [
        "below 0.1%",
        "below 0.1%",
        "4.1%",
        "100.0%",
    ]
