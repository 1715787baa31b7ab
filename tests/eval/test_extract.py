import pytest

from eval.extract import Extracted, extract


@pytest.mark.parametrize(
    ("text", "answer", "rule"),
    [
        # The rules in their order.
        ("#### 1\nThe answer is 2\n<answer>3</answer>\n4", "3", "answer tag"),
        ("The answer is 2\n#### 1\n4", "1", "hash marks"),
        ("The answer is 2\n4", "2", "answer phrase"),
        ("no marks\n4", "4", "last line"),
        # Tags.
        ("<answer>1</answer> wait <answer>2</answer>", "2", "answer tag"),
        ("<ANSWER>\n two\nlines \n</Answer>", "two\nlines", "answer tag"),
        ("<answer></answer>", "", "answer tag"),
        ("7\n<answer>12", "<answer>12", "last line"),  # cut off: 12 may be the beginning of 123
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
