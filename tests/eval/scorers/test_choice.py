import pytest

from podium.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value", "lenient", "extracted"),
    [
        ("B", 1.0, 1.0, "B"),
        ("b", 1.0, 1.0, "B"),
        ("(B)", 1.0, 1.0, "B"),
        ("**B**", 1.0, 1.0, "B"),
        ("B) Paris", 1.0, 1.0, "B"),
        ("B. Paris", 1.0, 1.0, "B"),
        ("<answer>B: Paris</answer>", 1.0, 1.0, "B"),
        ("Option B", 1.0, 1.0, "B"),
        ("The answer is (B) because of the river", 1.0, 1.0, "B"),
        ("The answer is B because of the river", 1.0, 1.0, "B"),
        ("The answer is B, the capital", 1.0, 1.0, "B"),
        ("<answer>Paris</answer>", 1.0, 1.0, "Paris"),  # the accepted text of the choice
        ("A", 0.0, 0.0, "A"),
        ("F", 0.0, 0.0, "F"),
        ("B or C", 0.0, 0.0, "B or C"),
        ("Bob", 0.0, 0.0, "Bob"),
        ("It has to be B", 0.0, 1.0, "It has to be B"),
        ("I choose (B)!", 0.0, 1.0, "I choose (B)!"),
        ("First A, then B is what I say", 0.0, 1.0, "First A, then B is what I say"),
        ("B is right, not C.", 1.0, 1.0, "B"),
        ("not B but C.", 0.0, 0.0, "not B but C."),
        ("a B movie", 0.0, 0.0, "a B movie"),
        ("", 0.0, 0.0, None),
    ],
)
def test_table(judge, text, value, lenient, extracted):
    score = judge("choice", text, "B", ("Paris",))
    assert (score.value, score.metrics["lenient"], score.extracted) == (value, lenient, extracted)


@pytest.mark.parametrize("letter", "ABCDE")
@pytest.mark.parametrize("text", ["{}", "({})", "{} because", "{}. x", "say {}", "a {} dog", "{} or so", "{}'s"])
def test_every_letter_has_the_same_chance(judge, letter, text):
    first = judge("choice", text.format("A"), "A")
    score = judge("choice", text.format(letter), letter)
    assert (score.value, score.metrics) == (first.value, first.metrics)


@pytest.mark.parametrize("expected", ["F", "b", "Paris"])
def test_an_item_without_a_letter_is_refused(judge, expected):
    with pytest.raises(UsageError, match=f"item 'a': expected_answer '{expected}', must be a letter A to E"):
        judge("choice", "B", expected)
