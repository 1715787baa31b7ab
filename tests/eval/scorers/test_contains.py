import pytest


@pytest.mark.parametrize(
    ("text", "expected", "value"),
    [
        ("It is Paris, of course", "paris", 1.0),
        ("new   york it is", "New York", 1.0),
        ("Parisian", "Paris", 0.0),
        ("a well-known name", "known", 1.0),
        ("it costs 1,234 today", "1234", 1.0),
        ("5.", "5", 1.0),
        ("is it 5?", "5", 1.0),
        ("15", "5", 0.0),
        ("1.5", "5", 0.0),
        ("5.2", "5", 0.0),
        ("it is -5", "5", 0.0),
        ("it is −5", "-5", 1.0),
        ("a+b", "a+b", 1.0),
        ("(x)", "(x)", 1.0),
        ("", "5", 0.0),
    ],
)
def test_table(judge, text, expected, value):
    score = judge("contains", text, expected)
    assert score.value == value
    assert score.reason == (
        f"whole text: contains {expected!r}"
        if value
        else f"whole text: does not contain {expected!r}"
        if text
        else "empty: the prediction holds no text"
    )


def test_an_accepted_answer_counts(judge):
    assert judge("contains", "four of them", "4", ("four",)).reason == "whole text: contains 'four'"
