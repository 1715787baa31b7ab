import json
from pathlib import Path

import pytest

from podium.core.errors import UsageError
from trainer.data.importers import import_traces

GSM8K = {
    "question": "Weng earns $12 an hour. How much in 50 minutes?",
    "answer": "A minute is 12/60 = $<<12/60=0.2>>0.2.\n\nSo 0.2 x 50 = $<<0.2*50=10>>10.\n#### 1,010",
}


def read(tmp_path: Path, layout: str, *rows: object):
    path = tmp_path / "file.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return import_traces(path, layout)


def contents(trace) -> list[str]:
    return [step.content for step in trace.steps]


def test_gsm8k_loses_calculator_marks_and_commas_and_keeps_the_rest(tmp_path):
    (trace,) = read(tmp_path, "gsm8k", {**GSM8K, "fitness": 0.5})
    assert trace.prompt == GSM8K["question"]
    assert contents(trace) == ["A minute is 12/60 = $0.2.", "So 0.2 x 50 = $10."]
    assert [step.i for step in trace.steps] == [1, 2]
    assert trace.final_answer == "1010"
    assert trace.meta == {"fitness": 0.5}


@pytest.mark.parametrize(
    ("response", "steps", "answer"),
    [
        ("Paris", [], "Paris"),
        ("It is in France.\nParis", [], "It is in France.\nParis"),
        ("one\ntwo\n#### 3", ["one", "two"], "3"),
        ("<reasoning>\none\n</reasoning>\n<answer> 3 </answer>", ["one"], "3"),
        ("<answer>1</answer> no: <answer>2</answer>", ["<answer>1</answer> no:"], "2"),
        ("#### 3\n<answer>4</answer>", ["#### 3"], "4"),
    ],
)
def test_what_a_response_becomes(tmp_path, response, steps, answer):
    (trace,) = read(tmp_path, "prompt-response", {"prompt": "p", "response": response, "techniques": ["x"]})
    assert (trace.prompt, contents(trace), trace.final_answer) == ("p", steps, answer)
    assert trace.meta == {"techniques": ["x"]}


def test_messages(tmp_path):
    short = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "#### 4"}]
    long = [{"role": "system", "content": "Be brief."}, short[0], {"role": "assistant", "content": "4"}]
    long += [{"role": "user", "content": "sure?"}, {"role": "assistant", "content": "yes"}]
    one, several = read(tmp_path, "messages", {"messages": short, "id": 7}, {"messages": long})
    assert (one.prompt, one.final_answer, one.meta) == ("2+2?", "4", {"id": 7})
    assert several.prompt == "system: Be brief.\nuser: 2+2?\nassistant: 4\nuser: sure?"
    assert several.final_answer == "yes"


def test_traces_keep_other_fields_in_meta(tmp_path):
    row = {
        "trace_version": "1",
        "prompt": "p",
        "final_answer": "a",
        "steps": [{"i": 0, "type": "plan", "content": "c"}],
        "meta": {"category": "x"},
        "analysis": "long",
        "fitness": 13,
    }
    (trace,) = read(tmp_path, "traces", row)
    assert trace.meta == {"category": "x", "analysis": "long", "fitness": 13}
    assert contents(trace) == ["c"]


@pytest.mark.parametrize(
    ("layout", "row", "reason"),
    [
        ("gsm8k", {"question": "q", "answer": "no mark"}, "the answer has no final line '#### N'"),
        ("gsm8k", {"question": "q", "answer": "x\n####  "}, "the answer has no final line '#### N'"),
        ("gsm8k", {"question": "", "answer": "#### 1"}, "'question' is '', must be a non-empty text"),
        ("gsm8k", {"question": "q"}, "'answer' is None, must be a non-empty text"),
        ("gsm8k", ["q"], "holds list, must be an object"),
        ("prompt-response", {"prompt": 3, "response": "r"}, "'prompt' is 3, must be a non-empty text"),
        ("prompt-response", {"prompt": "p", "response": "<answer> </answer>"}, "the response's answer is empty"),
        ("messages", {"messages": "hi"}, "messages must be a list of at least two objects"),
        ("messages", {"messages": [{"role": "user", "content": "q"}]}, "messages must be a list of at least two"),
        ("messages", {"messages": [{"role": "user", "content": "q"}] * 2}, "has role 'user', must be 'assistant'"),
        ("traces", {"prompt": "p"}, "final_answer is missing; add it"),
        ("traces", {"prompt": "p", "final_answer": "a", "steps": [{"i": 0}]}, "steps.0.type is missing"),
        ("traces", {"prompt": "p", "final_answer": "a", "meta": 3}, "meta holds int, must be an object"),
        (
            "traces",
            {"prompt": "p", "final_answer": "a", "meta": {"x": 1}, "x": 2},
            "'x' is given both in meta and beside it",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path, layout, row, reason):
    good = {
        "gsm8k": GSM8K,
        "prompt-response": {"prompt": "p", "response": "r"},
        "messages": {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
        "traces": {"prompt": "p", "final_answer": "a"},
    }[layout]
    with pytest.raises(UsageError) as raised:
        read(tmp_path, layout, good, row)
    assert str(raised.value).startswith(f"{tmp_path / 'file.jsonl'}:2: ")
    assert reason in str(raised.value)


def test_not_json_no_lines_and_unknown_format(tmp_path):
    path = tmp_path / "file.jsonl"
    path.write_text('{"prompt": "p", "response": "r"}\n\n{broken\n')
    with pytest.raises(UsageError, match=r"file.jsonl:3: not JSON"):
        import_traces(path, "prompt-response")
    path.write_text("\n")
    with pytest.raises(UsageError, match="holds no examples; a trainset needs at least one"):
        import_traces(path, "prompt-response")
    with pytest.raises(UsageError, match="format 'csv', must be one of gsm8k, prompt-response, messages, traces"):
        import_traces(path, "csv")
    with pytest.raises(UsageError, match="does not exist"):
        import_traces(tmp_path / "none.jsonl", "gsm8k")


@pytest.mark.realdata
def test_gsm8k_train_file_imports_whole(realdata):
    traces = import_traces(realdata / "gsm8k/train.jsonl", "gsm8k")
    assert len(traces) == 7473
    assert all(trace.steps for trace in traces)
    assert not any("<<" in step.content or "####" in step.content for trace in traces for step in trace.steps)
    assert all(trace.final_answer.lstrip("-").isdigit() for trace in traces)
