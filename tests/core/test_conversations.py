import math

import pytest

from podium.core.conversations import last_answer, messages_of, text_of
from podium.core.records import Conversation

USER = {"role": "user", "content": "q"}
CALL = {"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def one(turn):
    _, message = messages_of([USER, turn], "messages")
    Conversation.model_validate({"messages": [USER, message, {"role": "assistant", "content": "end"}]})
    return message


@pytest.mark.parametrize(
    ("said", "role"),
    [
        *(("human", "user"), ("GPT", "assistant"), ("chatgpt", "assistant"), ("system", "system")),
        *(("developer", "system"), ("tool", "tool"), ("observation", "tool"), ("function_response", "tool")),
    ],
)
def test_roles_of_sharegpt(said, role):
    assert one({"from": said, "value": "  x\n"}) == {"role": role, "content": "  x\n"}


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        (
            {"role": "assistant", "content": [{"type": "text", "text": "a\n"}, "b", {"text": " c"}]},
            {"role": "assistant", "content": "a\nb c"},
        ),
        ({"role": "assistant", "content": "a", "weight": 0.0}, {"role": "assistant", "content": "a", "weight": 0}),
        ({"role": "assistant", "content": 42}, {"role": "assistant", "content": "42"}),
        (
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
        ),
        (
            {"role": "assistant", "content": None, "function_call": CALL["function"]},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
        ),
        (
            {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 1}}'},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}],
            },
        ),
        (
            {"role": "tool", "content": "3", "tool_call_id": "c1", "name": "add", "id": 5},
            {"role": "tool", "content": "3", "tool_call_id": "c1", "name": "add"},
        ),
    ],
)
def test_what_a_turn_becomes(turn, message):
    assert one(turn) == message


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ("hi", "'messages' must be a list of objects with role and content, or from and value"),
        ([], "'messages' must be a list of objects"),
        ([USER, {"role": "narrator", "content": "x"}], r"messages\[1\] has role 'narrator', must be one of system, "),
        ([USER, {"content": "x"}], r"messages\[1\] has role None"),
        ([USER, {"role": "assistant", "content": " "}], r"messages\[1\] has an empty content"),
        ([USER, {"role": "assistant", "content": {"a": 1}}], r"messages\[1\] has content {'a': 1}, must be a text"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": "u"}]}],
            r"messages\[0\] has a part of type 'image_url'; only text is read",
        ),
        (
            [USER, {"role": "assistant", "content": "x", "reasoning_content": "y"}],
            r"messages\[1\] has 'reasoning_content', which would not be learned",
        ),
        (
            [USER, {"from": "function_call", "value": "add"}],
            r"messages\[1\] is a function_call, so its value must be JSON",
        ),
        (
            [USER, {"role": "assistant", "content": "", "tool_calls": [{"id": 1}]}],
            r"has a tool call .* must be an object",
        ),
    ],
)
def test_refusals_name_the_turn(turns, message):
    with pytest.raises(ValueError, match=message):
        messages_of(turns, "messages")


def test_the_last_answer():
    answer = {"role": "assistant", "content": "a"}
    assert last_answer([USER, answer, USER, answer, USER]) == ([USER, answer, USER], "a")
    assert last_answer([USER, answer, USER, {**answer, "content": "wrong", "weight": 0}]) == ([USER], "a")
    with pytest.raises(ValueError, match="no turn of the assistant answers"):
        last_answer([answer, USER])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a ", "a "),
        (3, "3"),
        (145.0, "145"),
        (0.5, "0.5"),
        ([9.0], "9"),
        (True, None),
        ([1, 2], None),
        (None, None),
        (math.nan, None),
        (math.inf, None),
    ],
)
def test_the_text_of_a_value(value, text):
    assert text_of(value) == text
