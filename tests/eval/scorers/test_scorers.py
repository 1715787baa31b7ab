"""What holds for every scorer: names, and several predictions for an item."""

import pytest

from eval.scorers import SCORERS, get_scorer
from podium.core.errors import UsageError
from podium.core.records import Prediction


@pytest.mark.parametrize("spec", [*SCORERS, "numeric:0.01", "format:256"])
def test_a_spec_survives(spec):
    if spec == "math":
        pytest.importorskip("math_verify")
    assert get_scorer(spec).spec == spec


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("exactly", "scorer 'exactly', must be one of answer, exact, numeric, choice, contains, format, math, arc_gr"),
        ("exact:1", "scorer 'exact' takes no option, not '1'; write exact"),
        ("answer:", "scorer 'answer' takes no option, not ''; write answer"),
    ],
)
def test_unknown_scorers_and_options(spec, message):
    with pytest.raises(UsageError) as raised:
        get_scorer(spec)
    assert str(raised.value).startswith(message)


def several(sample, scorer, *texts, others=3):
    """The scores of an item with these texts, beside one with `others` wrong ones."""
    predictions = [Prediction(id="a", sample=i, text=text) for i, text in enumerate(texts)]
    wrong = [Prediction(id="b", sample=i, text="wrong") for i in range(others)]
    items = [(sample("a", expected_answer="7"), predictions), (sample("b", expected_answer="7"), wrong)]
    return get_scorer(scorer).score_items(items)


def test_the_value_is_the_mean_and_a_majority_votes_for_what_means_the_same(sample):
    score, wrong = several(sample, "answer", "8", "7.0", "<answer>7 apples</answer>", "not 7")
    assert score.value == 0.5
    assert score.extracted == "7.0"  # the first of the majority
    assert score.reason == "2 of 4 right; majority, 2 votes: last line: equals '7'"
    assert score.metrics == {"lenient": 0.75, "majority": 1.0, "pass@2": pytest.approx(5 / 6), "pass@4": 1.0}
    assert (wrong.value, wrong.metrics["majority"], wrong.metrics["pass@4"]) == (0.0, 0.0, 0.0)


def test_of_equal_votes_the_first_wins_and_silence_is_no_vote(sample):
    score, _ = several(sample, "answer", "", "8", "7")
    assert (score.extracted, score.metrics["majority"]) == ("8", 0.0)
    score, _ = several(sample, "answer", "", "", "7")
    assert (score.extracted, score.metrics["majority"]) == ("7", 1.0)


def test_samples_that_are_not_there_are_wrong(sample):
    score, _ = several(sample, "answer", "7")
    assert (score.value, score.metrics["majority"], score.metrics["pass@3"]) == (1 / 3, 1.0, 1.0)
    score, _ = several(sample, "answer")
    assert score.missing and score.reason == "0 of 3 right"
    assert score.metrics == {"lenient": 0.0, "majority": 0.0, "pass@2": 0.0, "pass@3": 0.0}


def test_no_majority_where_it_means_nothing(sample):
    score, _ = several(sample, "contains", "7", "8", "it is 7")
    assert (score.value, score.reason) == (2 / 3, "2 of 3 right")
    assert score.metrics == {"pass@2": 1.0, "pass@3": 1.0}
