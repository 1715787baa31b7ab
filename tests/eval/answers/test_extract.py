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
        ("7\n<answer>12", "12", "answer tag"),
        ("7\n<answer>12\nbecause 5 + 7 is 12", "12", "answer tag"),  # not closed: its first line
        ("<answer>First add.\nThe answer is 12", "12", "answer tag"),
        ("<answer>1</answer> no, <answer>2", "2", "answer tag"),
        ("<answer>1</answer> and <answer>", "1", "answer tag"),
        ("<answer>The answer is 25.</answer>", "25", "answer tag"),
        ("<answer>\n```\n25\n```\n</answer>", "25", "answer tag"),
        ("<answer>1 <answer>2</answer>", "2", "answer tag"),
        ("<answer>1</answer> and </answer>", "1", "answer tag"),
        # Boxed.
        (r"\boxed{1} no \boxed{2}", "2", "boxed"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", "boxed"),
        (r"\boxed {\boxed{3}}", "3", "boxed"),
        (r"{\boxed{1}} \boxed{12", "1", "boxed"),  # the second was cut off
        (r"x} \boxed{4}", "4", "boxed"),
        # Hash marks.
        ("#### 1\n#### 2", "2", "hash marks"),
        ("####72", "72", "hash marks"),
        ("####\n72", "72", "hash marks"),
        ("#### Answer\n72\nThat is all.", "72", "hash marks"),
        ("#### The answer is 12", "12", "hash marks"),
        ("#### Paris", "Paris", "hash marks"),
        ("#### $72\nQuestion: what next?", "$72", "hash marks"),
        ("#### Step 2: add\n18 + 3 = 21\nThe answer is 21.", "21", "answer phrase"),  # a heading
        ("#### 2. Add the rest\n18 + 3\nShe has 21.", "She has 21.", "last line"),
        ("#### 110\nThe answer is: 110", "110", "hash marks"),
        ("### 72", "### 72", "last line"),
        # Phrases.
        ("So the answer is $1,234.50.", "$1,234.50", "answer phrase"),
        ("The final answer is: Paris. It is in France.", "Paris", "answer phrase"),
        ("ANSWER: 3.5", "3.5", "answer phrase"),
        ("answer = x!\nbye", "x", "answer phrase"),
        ("The answer is 1. No, the answer is\n2", "2", "answer phrase"),
        ("The answer is 145. Wait, that is wrong. The answer is 146.", "146", "answer phrase"),
        ("#### 145\nWait, I forgot one. The answer is 146.", "146", "answer phrase"),  # taken back
        (r"\boxed{5}" "\nHe had to wait. The answer is above.", "5", "boxed"),  # nothing was taken back
        ("The answer is Mrs. Hilt. She is old.", "Mrs. Hilt", "answer phrase"),
        ("The answer is J. K. Rowling. She wrote it.", "J. K. Rowling", "answer phrase"),
        ("The answer to the question is 7", "7", "answer phrase"),
        ("The correct option would be (B).", "(B)", "answer phrase"),
        ("Answer：C", "C", "answer phrase"),
        ("Answer - 7", "7", "answer phrase"),
        ("so that is how we get the answer:\nadd 3 and 4\n7", "7", "last line"),  # no heading
        ('{"answer": 4, "confidence": 0.9}', "4", "answer phrase"),
        ('{"final_answer": "Paris, Texas"}', "Paris, Texas", "answer phrase"),
        ("{'answer': [3, 4]}", "[3, 4]", "answer phrase"),
        ("My answer isn't ready", "My answer isn't ready", "last line"),
        ("**Answer:**\n72", "72", "answer phrase"),
        ("**Answer:**\n```\n72\n```\nLet me know!", "72", "answer phrase"),
        ("**Answer:** 72", "72", "answer phrase"),
        ("**Answer**: 72", "72", "answer phrase"),
        # Last line.
        ("  one\r\n two \n\n ", "two", "last line"),
        ("x", "x", "last line"),
        ("so\n\\[\nx = 5\n\\]", "x = 5", "last line"),
        ("$$\n5\n$$", "5", "last line"),
        ("```\n5\n```", "5", "last line"),
        ("5\n---\n", "5", "last line"),
        ("---", "---", "last line"),
        # What the reader does not see.
        ("<think>The answer is 7</think>\n6", "6", "last line"),
        ("7 is it</think>6", "6", "last line"),  # the prompt held the opening tag
        ("5\n<think>or <answer>7</answer>", "5", "last line"),
        ("20</s>", "20", "last line"),
        ("20<|im_end|>\n<|im_start|>user\nAnd 3+4?", "20", "last line"),
        ("\u200b7", "7", "last line"),
        ("<b>72</b>", "72", "last line"),
    ],
)
def test_table(text, answer, rule):
    assert extract(text) == Extracted(answer, rule)


@pytest.mark.parametrize("text", ["", " \n\t\n", "<think>The answer is 7", "<think>7</think> ", "\u200b"])
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
    for part in (
        *("<answer>", "</answer>", "\\boxed{", "{", "####", "answer is ", "1,", "1,234", ".", "- ", "answer "),
        *(
            "<think>",
            "</think>",
            "<|end|>",
            "#### a\n",
            "an answer:\n",
            "answer is\n",
            '"answer": "',
            "answer to ",
            "wait,",
        ),
    ):
        extract(part * n)
        last_number(part * n)
