import pytest

from eval.scorers import get_scorer
from podium.core.errors import UsageError
from podium.core.records import Prediction, Sample


def judge(text: str | None, expected: str = "1234", accepted: tuple[str, ...] = ()):
    facts = {"section": "core", "category": "sum", "difficulty": "easy"}
    sample = Sample(id="a", prompt="p", expected_answer=expected, accepted=accepted, **facts)
    return get_scorer("answer").score(sample, None if text is None else Prediction(id="a", text=text))


@pytest.mark.parametrize(
    ("text", "expected", "accepted", "value", "extracted", "reason"),
    [
        ("<answer>1,234</answer>", "1234", (), 1.0, "1,234", "answer tag: equals '1234'"),
        ("1\n#### 1234", "1,234", (), 1.0, "1234", "hash marks: equals '1,234'"),
        ("The answer is PARIS.", "Paris", (), 1.0, "PARIS", "answer phrase: equals 'Paris'"),
        ("4", "5", ("four", "4.0"), 1.0, "4", "last line: equals '4.0'"),
        ("4", "5", ("four",), 0.0, "4", "last line: is not '5'"),
        ("1234 apples", "1234", (), 0.0, "1234 apples", "last line: is not '1234'"),
        ("<answer>2</answer>\n1234", "1234", (), 0.0, "2", "answer tag: is not '1234'"),
        ("<answer></answer>", "!", (), 0.0, "", "answer tag: is not '!'"),
        ("", "1", (), 0.0, None, "empty: the prediction holds no text"),
    ],
)
def test_table(text, expected, accepted, value, extracted, reason):
    score = judge(text, expected, accepted)
    assert (score.value, score.extracted, score.reason) == (value, extracted, reason)
    assert (score.id, score.expected, score.missing) == ("a", expected, False)


def test_a_missing_prediction_is_wrong_and_says_so():
    score = judge(None)
    assert (score.value, score.extracted, score.missing) == (0.0, None, True)
    assert score.reason == "missing: no prediction for this item"


def test_unknown_scorer():
    with pytest.raises(UsageError, match="scorer 'exactly', must be one of answer"):
        get_scorer("exactly")
