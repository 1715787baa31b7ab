import pytest

from eval.answers.extract import Extracted, extract, last_number


@pytest.mark.parametrize(
    ("text", "answer", "rule"),
    [
        # The rules in their order.
        ("#### 1\nThe answer is 2\n<answer>3</answer>\n4", "3", "answer tag"),
        ("The answer is 2\n#### 1\n4", "1", "hash marks"),
        (r"#### 1" "\n" r"\boxed{2}", "1", "hash marks"),
        (r"The answer is 2, \boxed{3}", "3", "boxed"),
        ("The answer is 2\n4", "2", "answer phrase"),
        ("no marks\n4", "4", "last line"),
        # Tags.
        ("<answer>1</answer> wait <answer>2</answer>", "2", "answer tag"),
        ("<ANSWER>\n two\nlines \n</Answer>", "two\nlines", "answer tag"),
        ("<answer></answer>", "", "answer tag"),
        ("7\n<answer>12", "<answer>12", "last line"),  # cut off: 12 may be the beginning of 123
        ("<answer>1 <answer>2</answer>", "2", "answer tag"),
        ("<answer>1</answer> and </answer>", "1", "answer tag"),
        # Boxed.
        (r"\boxed{1} no \boxed{2}", "2", "boxed"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", "boxed"),
        (r"\boxed {\boxed{3}}", r"\boxed{3}", "boxed"),
        (r"{\boxed{1}} \boxed{12", "1", "boxed"),  # the second was cut off
        (r"x} \boxed{4}", "4", "boxed"),
        # Hash marks.
        ("#### 1\n#### 2", "2", "hash marks"),
        ("####72", "72", "hash marks"),
        ("####\n72", "", "hash marks"),
        ("### 72", "### 72", "last line"),
        # Phrases.
        ("So the answer is $1,234.50.", "$1,234.50", "answer phrase"),
        ("The final answer is: Paris. It is in France.", "Paris", "answer phrase"),
        ("ANSWER: 3.5", "3.5", "answer phrase"),
        ("answer = x!\nbye", "x", "answer phrase"),
        ("The answer is 1. No, the answer is\n2", "1", "answer phrase"),
        ("My answer isn't ready", "My answer isn't ready", "last line"),
        ("**Answer:**\n72", "72", "last line"),
        ("**Answer:** 72", "** 72", "answer phrase"),
        # Last line.
        ("  one\r\n two \n\n ", "two", "last line"),
        ("x", "x", "last line"),
    ],
)
def test_table(text, answer, rule):
    assert extract(text) == Extracted(answer, rule)


@pytest.mark.parametrize("text", ["", " \n\t\n"])
def test_nothing_to_extract(text):
    assert extract(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("72", "72"),
        ("so 3 and then 1,234.50 dollars.", "1,234.50"),
        ("it costs $5", "$5"),
        ("it is -$5.", "-$5"),
        ("5-3", "3"),  # subtracted, not negative
        ("3 - 4 = -1", "-1"),
        ("(−7)", "−7"),
        ("a .5 b", ".5"),
        ("wait...5", "5"),
        ("3/4 of it", "3/4"),
        ("20%, or so", "20%"),
        ("1e5 x", "1e5"),
        ("5 km of CO2", "5"),
        ("7 in version 1.2.3a", "7"),
        ("12,34", "34"),
        ("<answer>about 5</answer> of 9", "5"),
        ("<answer>five</answer> of 9", "9"),
    ],
)
def test_the_last_number(text, number):
    assert last_number(text) == Extracted(number, "last number")


@pytest.mark.parametrize("text", ["", "none", "CO2", "$", "- ."])
def test_no_number(text):
    assert last_number(text) is None


def test_a_hostile_text_takes_linear_time():
    # Each of these would take hours if a rule went over the text again and again.
    n = 50_000
    for part in ("<answer>", "</answer>", "\\boxed{", "{", "####", "answer is ", "1,", "1,234", ".", "- ", "answer "):
        extract(part * n)
        last_number(part * n)
