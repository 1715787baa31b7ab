import pytest

from podium.core.gold import bare_answer, fault_of_gold, worked_answer


@pytest.mark.parametrize(
    ("text", "steps", "answer"),
    [
        ("a\n\nb <<1+1=2>>2\n#### 1,234", ["a", "b 2"], "1234"),
        ("a\n#### 110\nThe answer is: 110", ["a"], "110"),
        ("#### The answer is 12", [], "12"),
        ("a #### 1\nb\n#### 2", ["a #### 1", "b"], "2"),
    ],
)
def test_a_worked_answer(text, steps, answer):
    assert worked_answer(text) == (steps, answer)


@pytest.mark.parametrize("text", ["72", "a\n####", "a\n####  \n72", "#### **Answer**:"])
def test_no_worked_answer(text):
    with pytest.raises(ValueError, match="no final line '#### N'"):
        worked_answer(text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        *(("**Answer**: 42", "42"), ("**Answer:** 42", "42"), ("The answer is: 42 ", "42"), ("## Answer: x", "x")),
        *(("Final answer = 4", "4"), ("The correct answer is (B)", "(B)"), ("answers vary", "answers vary")),
        *(("Answer：C", "C"), ("unanswered", "unanswered")),
    ],
)
def test_an_answer_without_its_label(text, answer):
    assert bare_answer(text) == answer


@pytest.mark.parametrize(
    "answer", [r"\]", "$$", "```", "```python", "---", r"\)", "**", "</answer>", "</s>", "\\]\n$$", "~~~", "####"]
)
def test_markup_is_no_gold(answer):
    assert fault_of_gold(answer) == "is markup, not an answer"


def test_a_label_is_no_gold():
    assert fault_of_gold("**Answer**: 42") == "has a label before the answer; give '42' alone"


@pytest.mark.parametrize("answer", ["42", "-", "+", "*", "=", "x^2", "$5", "$x$", "[[1]]", "\\frac{1}{2}", "a\nb", "?"])
def test_gold(answer):
    assert fault_of_gold(answer) is None


def test_long_markup_takes_no_time():
    assert fault_of_gold("$" * 100_000 + "x") is None
