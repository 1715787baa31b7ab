import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.answers.normalise import normalise


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("  Paris ", "paris"),
        ("New\n  York", "new york"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("**Paris**.", "paris"),
        ("“Paris”", "paris"),
        ("'x'", "x"),
        ("it’s", "it's"),
        ("yes!", "yes"),
        ("1,234", "1234"),
        ("1,234,567.50", "1234567.5"),
        ("1,2,3", "1, 2, 3"),  # a list
        ("1 ,2,  3", "1, 2, 3"),
        ("1, 234", "1, 234"),
        ("12,34", "12, 34"),
        ("1,0000", "1, 0000"),
        ("0,123", "0, 123"),
        ("1\u202f234\u202f567", "1234567"),
        ("1\u00a0234", "1234"),
        ("1 234", "1 234"),
        ("1,234 apples", "1234 apples"),
        ("−3", "-3"),
        ("–3", "-3"),
        ("- 3", "- 3"),
        ("$5", "$5"),  # a currency is a unit: see quantity
        ("$x", "$x"),
        ("+7", "7"),
        ("007", "7"),
        ("0.50", "0.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-0.0", "0"),
        ("1.0.0", "1.0.0"),
        ("1e3", "1e3"),
        ("123456789012345678901234567890123.10", "123456789012345678901234567890123.1"),
        ("a-b-c", "a-b-c"),
        ("3 × 4 ⋅ 5", "3*4*5"),
        ("x = y / 2", "x=y/2"),
        ("3 ÷ 4", "3/4"),
        ("x²", "x^2"),
        ("10⁻³", "10^-3"),
        ("1½", "1 1/2"),
        ("½", "1/2"),
        ("５％", "5%"),
        (r"$\frac{1}{2}$", "1/2"),
        (r"\(\boxed{7}\)", "7"),
        ("$x^{2}+1$", "x^2+1"),
        (r"\sqrt2", "sqrt(2)"),
        ("√2", "sqrt(2)"),
        ("√(x+1)", "sqrt(x+1)"),
        (r"\frac13", "1/3"),
        (r"\dfrac{3}4", "3/4"),
        (r"2\frac12", "2 1/2"),
        (r"\textbf{(C)}", "(c)"),
        (r"\[ 7 \]", "7"),
        ("$72$ apples", "72 apples"),
        ("$5 and $6", "$5 and $6"),
        ("5:30 p.m.", "5:30 pm"),
        ("5:30PM", "5:30 pm"),
        ("\u200b7", "7"),
        ("__7__", "7"),
        ("!", "!"),
        ("$3$.", "3"),
        ('**"$3$"**', "3"),
        ("", ""),
    ],
)
def test_table(answer, normal):
    assert normalise(answer) == normal


@given(st.text(alphabet=" 0123456789.,-+$€−'\"*!aB×½²=/\n\u202f", max_size=60))
def test_normalising_twice_changes_nothing(answer):
    assert normalise(normalise(answer)) == normalise(answer)


def test_a_model_that_repeats_itself_may_nest_as_deep_as_it_likes():
    assert normalise('"' * 5000 + "Paris" + '".' * 5000) == "paris"


@given(st.integers())
def test_thousands_separators_do_not_matter(number):
    assert normalise(f"{number:,}") == normalise(f" {number:,}.00. ") == str(number)
