"""`math`: expressions, judged by math-verify in the sandbox."""

import importlib.util

import pytest

from eval.sandbox.sandbox import Limits
from eval.scorers import get_scorer
from eval.scorers.math_program import compare
from podium.core.errors import UsageError
from podium.core.records import Prediction, Sample
from tests.eval.scorers.conftest import FACTS

needs_math = pytest.mark.skipif(importlib.util.find_spec("math_verify") is None, reason="math-verify is not installed")

RIGHT = [
    ("x+1", "1+x"),
    ("x+1", "The answer is $1+x$, which is linear."),
    (r"\frac{3}{4}", r"\frac34"),
    (r"2\sqrt{3}", r"2\sqrt3"),
    (r"\sqrt{12}", r"\boxed{2\sqrt{3}}"),
    (r"-2\pi", r"-2 \pi"),
    (r"\frac{1}{12}", "0.0833333333333333"),
    ("[-2,7]", r"x \in [-2,7]"),
    (r"x \in [-2,7]", "[-2,7]"),
    ("-1, 3", "3, -1"),
    ("-1, 3", "x = 3 or x = -1"),
    (r"\{1, 2\}", r"\boxed{2, 1}"),
    ("(0, 1]", r"\left(0, 1\right]"),
    (r"(-\infty, 2)", "x < 2"),
    ("x < 2", r"(-\infty, 2)"),
    ("x^2-1", "(x-1)(x+1)"),
    ("2x+3y=5", "3y + 2x = 5"),
    ("2^{10}", "1024"),
    ("x^2+1", "$x^{2}+1$"),
    (r"\frac{\sqrt{3}}{2}", r"\(\frac{\sqrt3}{2}\)"),
    ("7", "So there are 7 apples."),  # what `answer` takes is right here too
    ("B", "The answer is (B)."),
    ("0.5", r"\frac12"),
    (r"12\text{ cm}", r"12\text{ cm}"),
    (r"\sqrt{5}", r"\sqrt{5} \text{ cm}"),
]
WRONG = [
    ("x+1", "1-x"),
    ("x+1", "not $1+x$"),
    ("x+1", "$1+x$ or $1-x$"),
    ("x+1", "y+1"),
    (r"2\sqrt{3}", r"3\sqrt2"),
    (r"\frac{1}{12}", "0.083"),
    ("[-2,7]", "[-2,7)"),
    ("[-2,7]", "(-2,7)"),
    ("(-1, 3)", "(3, -1)"),
    ("-1, 3", "-1, 3, 5"),
    ("-1, 3", "3"),
    ("x < 2", r"x \le 2"),
    (r"-2\pi", r"2\pi"),
    ("5", "2 + 3"),  # not carried out
    ("3", "12/4"),
    ("7", "not 7 but 8"),
    ("7", "7 or 8"),
    ("7", r"x > 7"),
    ("x=5", "y=5"),
    ("x^2-1", "x^2-1 = 0 has two roots"),
    ("Paris", "Rome"),
    ("12", r"\boxed{\neq 12}"),
    ("5", "5:30 p.m."),
    ("5", "5th"),
    ("12", "$12-$13"),
    ("2024-01-05", "2024-05-01"),
    ("2/3/4", "2/12"),
    ("120", "5!"),
    ("abc", "cba is the reverse of abc"),
    ("5", "import os"),
    ("5", ""),
]
# Each would take minutes or gigabytes.
BOMBS = [
    "9^{9^{9^{9}}}",
    "10^{10^{10}}!",
    "(" * 400 + "x" + ")" * 400,
    r"\sum_{n=1}^{10^{9}} \sin(n^{n})",
    "(x+y+z+1)^{3000}",
]


def judged(pairs):
    samples = [Sample(id=str(i), expected_answer=right, **FACTS) for i, (right, _) in enumerate(pairs)]
    items = [(sample, [Prediction(id=sample.id, text=text)]) for sample, (_, text) in zip(samples, pairs, strict=True)]
    return get_scorer("math").score_items(items)


@needs_math
def test_expressions_that_mean_the_same_are_right_and_others_wrong():
    values = [score.value for score in judged([*RIGHT, *WRONG])]
    missed = [pair for pair, value in zip(RIGHT, values[: len(RIGHT)], strict=True) if not value]
    taken = [pair for pair, value in zip(WRONG, values[len(RIGHT) :], strict=True) if value]
    assert (missed, taken) == ([], [])


@needs_math
@pytest.mark.slow
def test_hostile_expressions_end_and_spoil_nothing():
    pairs = [(bomb, "x+7") for bomb in BOMBS] + [("x+7", bomb) for bomb in BOMBS[:2]] + [("x+7", "7+x")]
    found = compare(pairs, Limits(wall_s=1.0, cpu_s=1, memory_bytes=1 << 30))
    assert [found[pair].same for pair in pairs] == [False] * (len(pairs) - 1) + [True]


@needs_math
def test_the_reason_says_what_could_not_be_compared():
    (score,) = judged([("x+7", r"\boxed{9^{9^{9^{9}}} x}")])
    assert (score.value, score.reason) == (0.0, "boxed: is not 'x+7'; not compared: ran longer than 5 s")


@needs_math
def test_a_single_item_is_judged_like_many(judge):
    score = judge("math", r"\boxed{1+x}", "x+1")
    assert (score.value, score.reason) == (1.0, "boxed: equals 'x+1'")


def test_without_the_package_the_error_names_the_command(monkeypatch):
    monkeypatch.setattr("eval.scorers.math.find_spec", lambda _: None)
    with pytest.raises(
        UsageError, match=r"needs the package 'math-verify'; install it with .*pip install -e '\.\[math\]'"
    ):
        get_scorer("math")
