"""Imports JSONL files of several layouts as traces. docs/trainsets.md shows a line of each layout."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from podium.core.errors import UsageError
from podium.core.files import read_jsonl
from podium.core.records import ReasoningTrace, TraceStep, parse_record

VERSION = "1"  # of the conversion
ANSWER_TAG = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
REASONING_TAG = re.compile(r"</?reasoning>")
CALCULATOR_MARK = re.compile(r"<<[^<>]*>>")  # GSM8K: 48/2 = <<48/2=24>>24
THOUSANDS_COMMA = re.compile(r"(?<=\d),(?=\d{3}\b)")

Row = Mapping[str, Any]


def import_traces(path: Path, layout: str) -> list[ReasoningTrace]:
    """Every line of `path` as a trace. Fields that the layout does not define are kept in `meta`.

    Raises:
        UsageError: unknown layout, no lines, or an invalid line, named with file, line number and reason.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"format {layout!r}, must be one of {', '.join(LAYOUTS)}")
    traces = []
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        if not isinstance(row, dict):
            raise UsageError(f"{where}: holds {type(row).__name__}, must be an object")
        try:
            values = LAYOUTS[layout](row)
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from None
        traces.append(parse_record(ReasoningTrace, values, where))
    if not traces:
        raise UsageError(f"{path} holds no examples; a trainset needs at least one")
    return traces


def gsm8k(row: Row) -> dict[str, Any]:
    """{"question", "answer"}: lines of steps, then `#### 72`. Calculator annotations are removed from the steps."""
    question, answer = _text(row, "question"), _text(row, "answer")
    worked, marks, final = answer.rpartition("####")
    if not marks or not final.strip():
        raise ValueError("the answer has no final line '#### N'; choose --format prompt-response for free text")
    return {
        "prompt": question,
        "final_answer": THOUSANDS_COMMA.sub("", final.strip()),
        "steps": _steps(CALCULATOR_MARK.sub("", worked)),
        "meta": _others(row, "question", "answer"),
    }


def prompt_response(row: Row) -> dict[str, Any]:
    """{"prompt", "response"}: `completion` describes how a response is parsed."""
    meta = _others(row, "prompt", "response")
    return {"prompt": _text(row, "prompt"), **completion(_text(row, "response")), "meta": meta}


def messages(row: Row) -> dict[str, Any]:
    """{"messages": [{"role", "content"}, ...]}: the last message, of the assistant, is the completion.

    The others are the prompt: the content of a single message, or a line `role: content` per message.
    """
    turns = row.get("messages")
    if not isinstance(turns, list) or len(turns) < 2 or not all(isinstance(turn, dict) for turn in turns):
        raise ValueError("messages must be a list of at least two objects with role and content")
    *before, last = [(_text(turn, "role"), _text(turn, "content")) for turn in turns]
    if last[0] != "assistant":
        raise ValueError(f"the last message has role {last[0]!r}, must be 'assistant'")
    prompt = before[0][1] if len(before) == 1 else "\n".join(f"{role}: {content}" for role, content in before)
    return {"prompt": prompt, **completion(last[1]), "meta": _others(row, "messages")}


def traces(row: Row) -> dict[str, Any]:
    """A ReasoningTrace. Other fields (analysis, techniques, fitness, ...) go to `meta`."""
    meta = row.get("meta", {})
    if not isinstance(meta, dict):
        raise ValueError(f"meta holds {type(meta).__name__}, must be an object")
    others = _others(row, *ReasoningTrace.model_fields)
    both = sorted(others.keys() & meta.keys())
    if both:
        raise ValueError(f"{both[0]!r} is given both in meta and beside it; keep one")
    return {**{key: row[key] for key in ReasoningTrace.model_fields if key in row}, "meta": {**meta, **others}}


def completion(text: str) -> dict[str, Any]:
    """Steps and final answer of a response.

    The answer is in the last `<answer>` tag or after the last `####`, and the lines before it are the steps. Without
    either, the whole response is the answer.
    """
    tags = list(ANSWER_TAG.finditer(text))
    if tags:
        worked, final = REASONING_TAG.sub("", text[: tags[-1].start()]), tags[-1][1]
    else:
        worked, _, final = text.rpartition("####")
    if not final.strip():
        raise ValueError("the response's answer is empty")
    return {"final_answer": final.strip(), "steps": _steps(worked)}


LAYOUTS: dict[str, Callable[[Row], dict[str, Any]]] = {
    "gsm8k": gsm8k,
    "prompt-response": prompt_response,
    "messages": messages,
    "traces": traces,
}


def _steps(text: str) -> list[TraceStep]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return [TraceStep(i=i, type="reason", content=line) for i, line in enumerate(lines, start=1)]


def _text(row: Row, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key!r} is {value!r}, must be a non-empty text")
    return value.strip()


def _others(row: Row, *known: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in known}
