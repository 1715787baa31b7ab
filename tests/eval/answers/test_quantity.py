from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.answers.compare import same_answer, same_quantity
from eval.answers.quantity import Quantity, quantity
from eval.answers.units import UNITS


@pytest.mark.parametrize(
    ("answer", "value", "unit"),
    [
        ("5", 5, None),
        ("-5", -5, None),
        ("1,234.50", Fraction(2469, 2), None),
        (".5", Fraction(1, 2), None),
        ("1/2", Fraction(1, 2), None),
        ("-1/2", Fraction(-1, 2), None),
        ("1 1/2", Fraction(3, 2), None),
        ("1½", Fraction(3, 2), None),
        (r"\frac{1}{2}", Fraction(1, 2), None),
        ("3e8", 3 * 10**8, None),
        ("3 × 10^8", 3 * 10**8, None),
        ("6.02×10²³", 602 * 10**21, None),
        ("2*10^(-3)", Fraction(1, 500), None),
        ("$5", 5, "$"),
        ("-$5", -5, "$"),
        ("$-5", -5, "$"),
        ("5 dollars", 5, "$"),
        ("5 €", 5, "€"),
        ("50%", 50, "%"),
        ("50 percent", 50, "%"),
        ("5 km", 5, "km"),
        ("5km", 5, "km"),
        ("5 Kilometres", 5, "km"),
        ("5 m²", 5, "m^2"),
        ("5 square meters", 5, "m^2"),
        ("90°", 90, "°"),
        (r"90^\circ", 90, "°"),
        ("20 °C", 20, "°c"),
        ("negative 3", -3, None),
        ("1 million", 1_000_000, None),
        ("$2.5 billion", 2_500_000_000, "$"),
        ("3 hundred km", 300, "km"),
        (r"\frac13", Fraction(1, 3), None),
        (r"1\,234", 1234, None),
        ("60 km / h", 60, "km/h"),
        (r"12\text{ cm}", 12, "cm"),
    ],
)
def test_quantities(answer, value, unit):
    assert quantity(answer) == Quantity(Fraction(value), unit)


@pytest.mark.parametrize(
    "answer",
    [
        *("", "five", "5 apples", "5 6", "1,2", "5 or 6", "3 x 4", "2^10", "5-3", "- 3", "nan", "inf", "$", "km"),
        *("12/4", "4/2", "3/1", "1/0", "0.5/2"),  # calculations that were not carried out
        *("20*10^3", "0.5e3", "1e999"),  # not scientific notation, or beyond any use
        *("1 3/2", "1.5 1/2", "1 2/4"),
        *("$5 km", "--5", "-$-5", "9" * 301),
    ],
)
def test_what_is_no_quantity(answer):
    assert quantity(answer) is None


@pytest.mark.parametrize(
    ("found", "right", "same"),
    [
        ("PARIS", "Paris", True),
        ("5.0", "5", True),
        ("0.5", "1/2", True),
        ("0.333", "1/3", False),
        ("1.5", "1 1/2", True),
        ("12/4", "3", False),
        ("12/4", "12/4", True),
        ("5 km", "5", True),
        ("5", "5 km", True),
        ("5 kilometers", "5 km", True),
        ("5 m", "5 km", False),
        ("5000 m", "5 km", False),  # nothing is converted
        ("$5", "5", True),
        ("$5", "5 dollars", True),
        ("$5", "€5", False),
        ("50%", "50", True),
        ("50%", "0.5", True),
        ("0.5", "50%", True),
        ("50%", "50 km", False),
        ("x = 5", "5", True),
        ("x = 5", "x=5.0", True),
        ("x = 5", "y = 5", False),
        ("5 apples", "5", True),  # words around the only number
        ("5", "5 apples", False),
        ("1, 2, 3", "1,2,3", True),
        ("3 × 4", "3*4", True),
        ("9" * 400, "9" * 400 + ".0", True),  # as text
    ],
)
def test_same_answers(found, right, same):
    assert same_answer(found, right) is same


def test_a_tolerance_is_absolute_or_a_share_of_the_right_value():
    tolerance = Fraction(1, 100)
    near = [text for text in ("98.9", "99", "101", "101.1") if same_quantity(text, "100", tolerance)]
    assert near == ["99", "101"]
    assert same_quantity("0.01", "0", tolerance) and not same_quantity("0.011", "0", tolerance)


@given(st.fractions(min_value=-1000, max_value=1000, max_denominator=1000), st.sampled_from(sorted(UNITS)))
def test_every_fraction_with_every_unit_is_read(value, unit):
    assert quantity(f"{value} {unit}") == Quantity(value, UNITS[unit])


@given(st.text(max_size=40), st.text(max_size=40))
def test_sameness_never_fails(one, other):
    assert same_answer(one, one)
    same_answer(one, other)
