import pytest

from podium.core.errors import UsageError

GOOD = "<reasoning>\n3+4=7\n</reasoning>\n<answer>7</answer>"
TWICE = "must be opened and closed exactly once"


@pytest.mark.parametrize(
    ("text", "n_tokens", "parts", "reason"),
    [
        (GOOD, 20, (1, 1, 1), "as required"),
        (f" {GOOD}\n", 20, (1, 1, 1), "as required"),
        (GOOD, 21, (1, 1, 0), "21 tokens, limit 20"),
        (GOOD, None, (1, 1, 0), "n_output_tokens is not recorded"),
        ("<answer>7</answer>", 5, (0, 1, 1), "no <reasoning>"),
        ("<reasoning>x</reasoning>7", 5, (1, 0, 1), "no <answer>"),
        (GOOD.removesuffix("</answer>"), 5, (1, 0, 1), f"<answer> {TWICE}"),
        (GOOD.replace("7<", " <"), 5, (1, 0, 1), "<answer> is empty"),
        (GOOD.replace("\n3+4=7\n", " "), 5, (0, 1, 1), "<reasoning> is empty"),
        (GOOD + "<answer>8</answer>", 5, (1, 0, 1), f"<answer> {TWICE}"),
        ("</answer>7<answer><reasoning>x</reasoning>", 5, (1, 0, 1), f"<answer> {TWICE}"),
        ("<answer>7</answer><reasoning>x</reasoning>", 5, (1, 1, 1), "<reasoning> does not end before <answer> begins"),
        ("<reasoning>x<answer>7</reasoning></answer>", 5, (1, 1, 1), "<reasoning> does not end before <answer> begins"),
        (GOOD + " So 7.", 5, (1, 1, 1), "there is text outside the tags"),
        ("Well: " + GOOD, 5, (1, 1, 1), "there is text outside the tags"),
        (GOOD.replace("<answer>", "so <answer>"), 5, (1, 1, 1), "there is text outside the tags"),
        (GOOD.upper(), 5, (0, 0, 1), "no <reasoning>; no <answer>"),
        ("", 0, (0, 0, 1), "no <reasoning>; no <answer>"),
    ],
)
def test_table(judge, text, n_tokens, parts, reason):
    score = judge("format:20", text, "7", n_output_tokens=n_tokens)
    assert tuple(score.metrics.values()) == parts
    assert list(score.metrics) == ["reasoning_tags", "answer_tags", "length"]
    assert (score.reason, score.value) == (reason, float(reason == "as required"))


def test_without_a_limit_any_length_will_do(judge):
    assert judge("format", GOOD, "7").value == 1.0
    assert judge("format", GOOD, "7", n_output_tokens=10**9).value == 1.0


@pytest.mark.parametrize("option", ["", "0", "-1", "1.5", "x", "²"])
def test_what_is_no_limit(judge, option):
    with pytest.raises(UsageError, match=f"scorer 'format:{option}': the limit must be a whole number of tokens"):
        judge(f"format:{option}", GOOD, "7")
