import pytest

from podium.core.errors import UsageError


@pytest.mark.parametrize(
    ("scorer", "text", "expected", "value", "lenient"),
    [
        ("numeric", "<answer>3.1415926</answer>", "3.1415927", 1.0, 1.0),
        ("numeric", "3.14", "3.1415927", 0.0, 0.0),
        ("numeric:0.01", "3.14", "3.1415927", 1.0, 1.0),
        ("numeric:0.01", "3.111", "3.1415927", 1.0, 1.0),  # within 1% of the expected
        ("numeric:0.01", "3.10", "3.1415927", 0.0, 0.0),
        ("numeric:0.01", "0.009", "0", 1.0, 1.0),  # within 0.01
        ("numeric:0.01", "0.011", "0", 0.0, 0.0),
        ("numeric:0.01", "101", "100", 1.0, 1.0),  # the edge belongs to it
        ("numeric:0.01", "101.0000001", "100", 0.0, 0.0),
        ("numeric:0", "0.333", "1/3", 0.0, 0.0),
        ("numeric:0.001", "0.333", "1/3", 1.0, 1.0),
        ("numeric", "6.02 × 10^23", "6.02e23", 1.0, 1.0),
        ("numeric", "5 km", "5", 1.0, 1.0),
        ("numeric", "5 km", "5 m", 0.0, 1.0),  # leniently a number is a number
        ("numeric:0.01", "50.1%", "0.5", 1.0, 1.0),
        ("numeric", "about 5 apples", "5", 1.0, 1.0),
        ("numeric", "not 5", "5", 0.0, 1.0),
        ("numeric", "3 + 5", "5", 0.0, 1.0),
        ("numeric", "none", "5", 0.0, 0.0),
        ("numeric", "nan", "5", 0.0, 0.0),
        ("numeric", "1e99999999", "5", 0.0, 0.0),
        ("numeric", "9" * 5000, "5", 0.0, 0.0),
    ],
)
def test_table(judge, scorer, text, expected, value, lenient):
    score = judge(scorer, text, expected)
    assert (score.value, score.metrics["lenient"]) == (value, lenient)


@pytest.mark.parametrize("option", ["", "x", "-1", "1", "nan", "inf"])
def test_what_is_no_tolerance(judge, option):
    with pytest.raises(UsageError, match=f"scorer 'numeric:{option}': the tolerance must be a number >= 0 and < 1"):
        judge(f"numeric:{option}", "1", "1")


def test_an_item_without_a_number_is_refused(judge):
    with pytest.raises(UsageError, match="item 'a': the answer is 'Paris', must be a number for scorer numeric"):
        judge("numeric", "1", "Paris")
