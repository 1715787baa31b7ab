import pytest


@pytest.mark.parametrize(
    ("text", "expected", "accepted", "value", "extracted", "reason"),
    [
        ("<answer>1,234</answer>", "1234", (), 1.0, "1,234", "answer tag: equals '1234'"),
        ("1\n#### 1234", "1,234", (), 1.0, "1234", "hash marks: equals '1,234'"),
        ("The answer is PARIS.", "Paris", (), 1.0, "PARIS", "answer phrase: equals 'Paris'"),
        (r"So \boxed{\frac{1}{2}}.", "0.5", (), 1.0, r"\frac{1}{2}", "boxed: equals '0.5'"),
        ("4", "5", ("four", "4.0"), 1.0, "4", "last line: equals '4.0'"),
        ("4", "5", ("four",), 0.0, "4", "last line: is not '5'"),
        ("<answer>Paris</answer>", "Rome", (), 0.0, "Paris", "answer tag: is not 'Rome'"),
        ("<answer>2</answer>\n1234", "1234", (), 0.0, "2", "answer tag: is not '1234'"),
        ("<answer></answer>", "!", (), 0.0, "", "answer tag: is not '!'"),
        ("<answer>5 km</answer>", "5", (), 1.0, "5 km", "answer tag: equals '5'"),
        ("<answer>$5</answer>", "€5", (), 0.0, "$5", "answer tag: is not '€5'"),
        ("12/4", "3", (), 0.0, "12/4", "last line: is not '3'"),
        ("", "1", (), 0.0, None, "empty: the prediction holds no text"),
        ("<think>It is 1", "1", (), 0.0, None, "empty: the prediction holds no text outside <think>"),
    ],
)
def test_table(judge, text, expected, accepted, value, extracted, reason):
    score = judge("answer", text, expected, accepted)
    assert (score.value, score.extracted, score.reason) == (value, extracted, reason)
    assert (score.id, score.expected, score.missing) == ("a", expected, False)
    assert score.metrics == {"lenient": value}


@pytest.mark.parametrize(
    ("text", "expected", "lenient", "reason"),
    [
        ("2 of 1234", "1234", 1.0, "last line: is not '1234'; leniently right: last number '1234'"),
        ("<answer>2 x 36 eggs, 72</answer>", "72", 1.0, "answer tag: is not '72'; leniently right: last number '72'"),
        ("He has 72.\nThen he rests.", "72", 1.0, "last line: is not '72'; leniently right: last number '72'"),
        ("First 72, then 5 left over", "72", 0.0, "last line: is not '72'"),
        ("<answer>Paris, 3</answer> 72", "72", 0.0, "answer tag: is not '72'"),  # the tag holds a number of its own
        ("I think Paris it is", "Paris", 0.0, "last line: is not 'Paris'"),  # words are not looked for
        ("I think 4 it is", "four", 0.0, "last line: is not 'four'"),
    ],
)
def test_strict_and_lenient_stand_side_by_side(judge, text, expected, lenient, reason):
    score = judge("answer", text, expected)
    assert (score.value, score.metrics, score.reason) == (0.0, {"lenient": lenient}, reason)


def test_a_missing_prediction_is_wrong_and_says_so(judge):
    score = judge("answer", None, "1")
    assert (score.value, score.extracted, score.missing) == (0.0, None, True)
    assert score.reason == "missing: no prediction for this item"
    assert score.metrics == {"lenient": 0.0}


@pytest.mark.parametrize(
    ("text", "expected", "right"),
    [
        ("Wait, the answer is 3? No, it is 4.", "3", False),
        ("So the answer is 3? Let me check: 2+2=4. The total is 4.", "3", False),
        ("The answer is B? No, C.", "B", False),
        ("So is the answer 3? No. The answer is 4.", "4", True),
        ("The answer is 3, right?", "3", True),  # nothing answers the question
        ("The answer is 3... hmm, actually 4.", "3", False),
        ("The answer is 3. Actually, no. It should be 4.", "3", False),
        ("The answer is 3. Sorry, I meant 4.", "3", False),
        ("The answer is 3, actually.", "3", True),
        ("The answer is 6 because 2*3 = 6.", "6", True),
        ("The answer is 6, since 12/2 = 6.", "6", True),
        ("7 because 6 is wrong", "6", False),
        ("The answer cannot be 6 because 6 is even.", "6", False),
        ("6\ufe0f\u20e3", "6", True),  # an emoji, the keycap 6
        ("\u202a6\u202c", "6", True),
    ],
)
def test_questions_corrections_reasons_and_invisible_characters(judge, text, expected, right):
    assert judge("answer", text, expected).value == float(right)


@pytest.mark.parametrize(
    ("text", "expected", "right"),
    [
        ("The answer is five.", "5", True),
        ("Six.", "6", True),
        ("five apples", "5", True),
        ("three hundred dollars", "300", True),
        ("twelve hundred", "1200", True),
        ("two dozen", "24", True),
        ("negative three", "-3", True),
        ("one apple", "1", True),
        ("zero", "0", True),
        ("two thirds", "2", False),
        ("three quarters", "3", False),
        ("three-fourths", "3", False),
        ("three tens", "3", False),
        ("three or four", "3", False),
        ("three to four", "3", False),
        ("three squared", "3", False),
        ("three and a half", "3", False),
        ("three times four", "3", False),
        ("not three", "3", False),
        ("minus three", "3", False),
        ("one of the two", "1", False),
        ("One of them is right.", "1", False),
        ("Two friends share the cake equally.", "2", False),
        ("Two friends share 3 apples", "2", False),
    ],
)
def test_a_number_in_words(judge, text, expected, right):
    assert judge("answer", text, expected).value == float(right)
