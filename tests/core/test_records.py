import pytest

from podium.core.errors import UsageError
from podium.core.files import to_line
from podium.core.records import (
    Conversation,
    Prediction,
    ReasoningTrace,
    Report,
    Sample,
    example_row,
    iter_examples,
    parse_example,
    parse_record,
    read_records,
    user_turns,
)
from podium.core.states import State

SAMPLE = {
    "id": "a",
    "prompt": "1+1=?",
    "expected_answer": "2",
    "section": "core",
    "category": "add",
    "difficulty": "easy",
}


def test_bad_line_is_named(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text('{"id": "a", "text": "x"}\n{"id": "b", "txt": "y"}\n')
    with pytest.raises(UsageError, match=r"set\.jsonl:2: "):
        read_records(Prediction, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"difficulty": "brutal"}, "difficulty='brutal'"),
        ({"expected_answer": ""}, "expected_answer=''"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"prompt": ""}, "prompt and messages are both missing or empty; give one of them"),
        ({"messages": [{"role": "user", "content": "x"}]}, "prompt and messages are both given; give one of them"),
        (
            {"prompt": "", "messages": [{"role": "assistant", "content": "x"}]},
            "messages end with a turn of the assistant; the last turn must be what it answers",
        ),
    ],
)
def test_bad_sample(change, message):
    with pytest.raises(UsageError) as caught:
        parse_record(Sample, SAMPLE | change, "here")
    assert str(caught.value).startswith(f"here: {message}")


def test_missing_field_and_wrong_shape():
    with pytest.raises(UsageError, match="here: prompt is missing; add it"):
        parse_record(ReasoningTrace, {"final_answer": "1"}, "here")
    with pytest.raises(UsageError, match="here: holds list, must be an object"):
        parse_record(ReasoningTrace, [], "here")


def test_a_report_cannot_hold_nan():
    with pytest.raises(ValueError, match="finite"):
        Report(step=1, state=State.RUNNING, metrics={"dev/score": float("nan")})


def test_only_running_is_not_final():
    assert [state for state in State if not state.is_final] == [State.RUNNING]


USER, REPLY = {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}
CALL = {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 2}}}]}


def test_a_file_holds_traces_and_conversations_which_are_written_as_they_were_read(tmp_path):
    lines = [
        {"trace_version": "1", "prompt": "p", "final_answer": "a", "steps": [], "meta": {}},
        {"messages": [{"role": "system", "content": "Be brief."}, USER, REPLY, USER, {**REPLY, "weight": 0}]},
        {"messages": [USER, CALL, {"role": "tool", "content": "4", "tool_call_id": "1", "name": "add"}, REPLY]},
        {"messages": [USER, REPLY], "tools": [{"type": "function"}], "meta": {"category": "x"}},
    ]
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(map(to_line, lines)))
    examples = list(iter_examples(path))
    assert [type(example) for example in examples] == [ReasoningTrace, Conversation, Conversation, Conversation]
    assert "".join(to_line(example_row(example)) for example in examples) == path.read_text()
    assert [user_turns(example) for example in examples] == [("p",), ("2+2?", "2+2?"), ("2+2?",), ("2+2?",)]


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([USER], "messages hold no assistant turn with weight 1, so there is nothing to learn from"),
        ([USER, {**REPLY, "weight": 0}], "messages hold no assistant turn with weight 1"),
        (
            [USER, {**REPLY, "content": ""}],
            "messages.1={'role': 'assistant', 'content': ''}: a turn of role 'assistant' ",
        ),
        ([{**CALL, "role": "user"}, REPLY], "tool_calls in a turn of role 'user'; only assistant turns call tools"),
        ([{**USER, "role": "human"}, REPLY], "messages.0.role='human': must be"),
        ([{**USER, "content": None}, REPLY], "messages.0.content=None"),
    ],
)
def test_bad_conversation(messages, message):
    with pytest.raises(UsageError) as caught:
        parse_example({"messages": messages}, "here")
    assert message in str(caught.value)


def test_an_item_asks_by_prompt_or_by_messages():
    by_prompt = parse_record(Sample, SAMPLE, "here")
    assert [(turn.role, turn.content) for turn in by_prompt.turns] == [("user", "1+1=?")]
    by_messages = parse_record(Sample, {**SAMPLE, "prompt": "", "messages": [USER, REPLY, USER]}, "here")
    assert by_messages.turns == by_messages.messages
    assert user_turns(by_messages) == ("2+2?", "2+2?")
