import json
from pathlib import Path

import pytest

from podium.core.errors import UsageError
from podium.core.formats import choose_format
from podium.core.records import Conversation, Message, ReasoningTrace
from podium.core.sources import Source
from trainer.data.importers import import_examples


def read_file(path: Path, format: str = "auto"):
    chosen, rows = choose_format(Source(str(path)).rows(), format)
    return list(import_examples(rows, chosen))


def read(tmp_path: Path, *rows: object, format: str = "auto"):
    path = tmp_path / "file.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_file(path, format)


def test_gsm8k_and_traces_are_reasoning_traces(tmp_path):
    (worked,) = read(
        tmp_path, {"question": "q", "answer": "a <<1+1=2>>2\n#### 110\nThe answer is: 110", "fitness": 0.5}
    )
    assert isinstance(worked, ReasoningTrace)
    assert ([step.content for step in worked.steps], worked.final_answer) == (["a 2"], "110")
    assert worked.meta == {"fitness": 0.5}
    step = {"i": 0, "type": "plan", "content": "c"}
    (trace,) = read(
        tmp_path, {"trace_version": "1.0", "prompt": "p", "final_answer": 3, "steps": [step], "analysis": "l"}
    )
    assert (trace.trace_version, trace.final_answer, trace.meta) == ("1", "3", {"analysis": "l"})
    assert [step.content for step in trace.steps] == ["c"]


def test_other_layouts_are_conversations_with_every_turn_as_it_was(tmp_path):
    turns = [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "2+2?"},
        {"from": "gpt", "value": "5", "weight": 0},
        {"from": "human", "value": "Sure?"},
        {"from": "gpt", "value": "  4\n\n"},
    ]
    (conversation,) = read(tmp_path, {"conversations": turns, "id": 7})
    assert conversation == Conversation(
        messages=(
            Message(role="system", content="Be brief."),
            Message(role="user", content="2+2?"),
            Message(role="assistant", content="5", weight=0),
            Message(role="user", content="Sure?"),
            Message(role="assistant", content="  4\n\n"),
        ),
        meta={"id": 7},
    )


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        (
            {"prompt": "p", "final_answer": "a"},
            {"prompt": "p", "final_answer": "a", "steps": [{"i": 0}]},
            "steps.0.type is",
        ),
        (
            {"prompt": "p", "final_answer": "a"},
            {"prompt": "p", "final_answer": "a", "steps": "a"},
            "steps='a': must be a list",
        ),
        (
            {"prompt": "p", "final_answer": "a"},
            {"prompt": "p", "final_answer": "a", "steps": ["a"]},
            "steps.0='a': must be keys with values",
        ),
        (
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 2}]},
            "messages.1.weight=2",
        ),
        ({"prompt": "p", "response": "r"}, {"prompt": "p", "completion": "r"}, "--format prompt-completion would fit"),
    ],
)
def test_a_bad_line_is_named(tmp_path, good, bad, reason):
    with pytest.raises(UsageError) as raised:
        read(tmp_path, good, bad)
    assert str(raised.value).startswith(f"{tmp_path / 'file.jsonl'}:2: ")
    assert reason in str(raised.value)


def test_no_lines(tmp_path):
    with pytest.raises(UsageError, match=r"file\.jsonl: holds no examples, must have at least one"):
        read(tmp_path)


@pytest.mark.realdata
def test_gsm8k_train_file_imports_whole(realdata):
    traces = read_file(realdata / "gsm8k/train.jsonl")
    assert len(traces) == 7473
    assert all(trace.steps for trace in traces)
    assert not any("<<" in step.content or "####" in step.content for trace in traces for step in trace.steps)
    assert all(trace.final_answer.lstrip("-").isdigit() for trace in traces)
