import math

import pytest

from podium.core.errors import UsageError
from tuning.search.arithmetic import Constraint, Expression

VALUES = {"train.max_steps": 300.0, "train.batch_size": 8.0, "dev/answer_correctness": 55.5, "peak_memory_gb": 17.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1 * train.max_steps", 30.0),
        ("min(50, train.max_steps // 7) + 1", 43.0),
        ("-train.batch_size ** 2 + 10 % 4", -62.0),
        ("sqrt(train.batch_size * 2) / 4", 1.0),
        ("floor(2.9) + ceil(2.1)", 5.0),
        ("dev/answer_correctness / 2", 27.75),
        ("train.max_steps/train.batch_size", 37.5),
        ("3", 3.0),
    ],
)
def test_values(text, value):
    assert Expression(text).value(VALUES.__getitem__) == value


def test_names_in_order_and_once():
    assert Expression("train.max_steps * 2 - dev/answer_correctness + train.max_steps").names == [
        "train.max_steps",
        "dev/answer_correctness",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')",
        "train.max_steps.real",
        "(lambda: 1)()",
        "[1, 2][0]",
        "'a' * 3",
        "True + 1",
        "1 if 2 else 3",
        "x := 1",
        "open(1)",
        "min()",
        "min(1, key=2)",
        "1 << 3",
        "1j",
        "",
        "1 +",
        "1 < 2",
        "1" * 300,
    ],
)
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(UsageError) as caught:
        Expression(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["1 / 0", "9 ** 9 ** 9", "sqrt(0 - 1)", "(0 - 8) ** 0.5", "1e308 * 10"])
def test_what_has_no_value_says_so(text):
    with pytest.raises(UsageError, match="has no value here"):
        Expression(text).value(VALUES.__getitem__)


@pytest.mark.parametrize(
    ("text", "broken_by", "bound"),
    [
        ("peak_memory_gb <= 16", 1.0, ("peak_memory_gb", -math.inf, 16.0)),
        ("peak_memory_gb >= 16", -1.0, ("peak_memory_gb", 16.0, math.inf)),
        ("20 >= peak_memory_gb", -3.0, ("peak_memory_gb", -math.inf, 20.0)),
        ("2 * peak_memory_gb <= train.batch_size", 26.0, None),
    ],
)
def test_constraints(text, broken_by, bound):
    constraint = Constraint(text)
    assert constraint.value(VALUES.__getitem__) == broken_by
    assert constraint.bound() == bound


@pytest.mark.parametrize("text", ["peak_memory_gb", "1 < 2", "1 <= 2 <= 3", "a == 1", "a <= 1 and b <= 2"])
def test_a_constraint_is_one_comparison(text):
    with pytest.raises(UsageError, match="must be one comparison with <= or >=, like 'peak_memory_gb <= 16'"):
        Constraint(text)
