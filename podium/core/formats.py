"""Formats of rows, by the names of their fields: what is a prompt and what is a response. docs/data.md shows each.

A format turns a row into the values of a Conversation or of a ReasoningTrace. Texts stay as they are, to the byte; only
`gsm8k` takes its answer apart. Fields that a format does not know are kept in `meta`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, cycle
from typing import Any

from podium.core.conversations import messages_of, text_of
from podium.core.errors import UsageError
from podium.core.gold import worked_answer
from podium.core.json_text import parse_json
from podium.core.plain_values import Unreadable
from podium.core.records import ReasoningTrace
from podium.core.tables import Row, key_of_rows

Values = Mapping[str, Any]
AUTO = "auto"
FIELDS = "fields"  # the name of a format that --prompt-field and --response-field describe


@dataclass(frozen=True)
class Format:
    """`read` gives the values of a record, and raises ValueError with the reason if it cannot."""

    name: str
    fits: Callable[[Values], bool]  # whether a row has the format's fields
    wants: str  # the fields, for messages
    read: Callable[[Values], dict[str, Any]]


def choose_format(
    rows: Iterable[Row],
    name: str,
    prompt_fields: Sequence[str] = (),
    response_field: str | None = None,
    formats: Sequence[Format] | None = None,
) -> tuple[Format, Iterator[Row]]:
    """The format called `name`, or for `auto` the first that fits the first row; and all rows, from the first on.

    Raises:
        UsageError: unknown name, only one of the two kinds of field, or no format fits; from the rows, once they end:
            a field that the user named is in none of them.
    """
    known = FORMATS if formats is None else formats
    rows = iter(rows)
    if prompt_fields or response_field:
        return _described(name, prompt_fields, response_field), _with_every_field(rows, prompt_fields)
    if name != AUTO:
        chosen = next((format for format in known if format.name == name), None)
        if chosen is None:
            raise UsageError(f"format {name!r}, must be one of {', '.join((AUTO, *(each.name for each in known)))}")
        return chosen, rows
    first = next(rows, None)
    if first is None:
        return known[0], rows
    fitting = next((format for format in known if format.fits(first.values)), None)
    if fitting is None:
        key = key_of_rows(first.values) if next(rows, None) is None else None  # {"data": [...]} is the only row
        name_fields = "name the fields: --prompt-field NAME --response-field NAME"
        fix = f"save the list in {key!r} as a file" if key else name_fields
        raise UsageError(f"{first.where}: has the fields {_names(first.values)}, and no format fits them; {fix}")
    return fitting, chain([first], rows)


def read_row(format: Format, row: Row, formats: Sequence[Format] | None = None) -> dict[str, Any]:
    """The values of the row's record. Raises UsageError with place and reason; the reason names a format that fits."""
    try:
        if not format.fits(row.values):
            known = FORMATS if formats is None else formats
            other = next((each.name for each in known if each.fits(row.values)), None)
            hint = f"--format {other} would fit" if other else "name its fields by --prompt-field and --response-field"
            raise ValueError(f"has the fields {_names(row.values)}, and {format.name} needs {format.wants}; {hint}")
        return format.read(row.values)
    except ValueError as error:
        raise UsageError(f"{row.where}: {error}") from None


def _described(name: str, prompt_fields: Sequence[str], response_field: str | None) -> Format:
    """The format of --prompt-field and --response-field."""
    if name != AUTO:
        raise UsageError(
            f"--format {name} has its own fields; leave out --prompt-field and --response-field, or --format"
        )
    if not prompt_fields or not response_field:
        given, other = (
            ("--prompt-field", "--response-field") if prompt_fields else ("--response-field", "--prompt-field")
        )
        raise UsageError(f"{given} is given without {other}; give both")
    pair = _pair(FIELDS, prompt_fields, response_field)

    def read(row: Values) -> dict[str, Any]:
        lacking = [] if row.keys() & set(prompt_fields) else [prompt_fields[0]]
        lacking += [] if response_field in row else [response_field]
        if lacking:
            raise ValueError(f"has no field {lacking[0]!r}; it has {_names(row)}")
        return pair.read(row)

    return replace(pair, fits=lambda _: True, read=read)


def _with_every_field(rows: Iterable[Row], fields: Iterable[str]) -> Iterator[Row]:
    """The rows. Raises UsageError after the last one if a field is in none of them, as a misspelled one is."""
    first, unseen = None, list(fields)
    for row in rows:
        first = first or row
        unseen = [field for field in unseen if field not in row.values]
        yield row
    if first and unseen:
        raise UsageError(
            f"{first.where}: has no field {unseen[0]!r}, nor has any row after it; it has {_names(first.values)}"
        )


def _pair(name: str, prompt_fields: Sequence[str], response_field: str) -> Format:
    """One or several fields that make up the prompt, joined by line breaks, and one with the response.

    Of several fields, those that are empty are left out, unless all are.
    """

    def read(row: Values) -> dict[str, Any]:
        filled = [field for field in prompt_fields if not _is_empty(row.get(field))] or prompt_fields[:1]
        prompt = "\n".join(_text(row, field) for field in filled)
        messages = _exchange(prompt, _text(row, response_field))
        return {"messages": messages, "meta": _others(row, *prompt_fields, response_field)}

    fields = (*prompt_fields, response_field)
    return Format(name, lambda row: all(field in row for field in fields), _names(fields), read)


def _completion(row: Values) -> dict[str, Any]:
    """{"prompt", "completion"}: texts, or lists of messages as TRL has them."""
    if not isinstance(row["prompt"], list):
        return _pair("prompt-completion", ("prompt",), "completion").read(row)
    messages = [*messages_of(row["prompt"], "prompt"), *messages_of(row["completion"], "completion")]
    return {"messages": messages, **_tools(row), "meta": _others(row, "prompt", "completion", "tools")}


def _question(row: Values) -> dict[str, Any]:
    """{"question", "answer"}, and SVAMP's and ASDiv's {"body", "question", "answer"}; capitals do not matter."""
    found = {key.lower(): key for key in row}
    fields = [found[key] for key in ("body", "question") if key in found]
    return _pair("question-answer", fields, found["answer"]).read(row)


def _alpaca(row: Values) -> dict[str, Any]:
    """{"instruction", "input", "output"}: an input stands a blank line below the instruction.

    `system` and `history`, a list of pairs of earlier prompts and responses, may be given, too.
    """
    prompt = _text(row, "instruction")
    if not _is_empty(row.get("input")):
        prompt += "\n\n" + _text(row, "input")
    earlier = row.get("history") or []
    if not isinstance(earlier, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in earlier):
        raise ValueError(f"'history' is {earlier!r:.60}, must be a list of pairs of prompt and response")
    turns = chain(*earlier, (prompt, _text(row, "output")))
    said = [{"role": role, "content": text} for role, text in zip(cycle(("user", "assistant")), turns, strict=False)]
    messages = [*_system(row), *said]
    return {"messages": messages, "meta": _others(row, "instruction", "input", "output", "system", "history")}


def _sharegpt(row: Values) -> dict[str, Any]:
    key = "conversations" if "conversations" in row else "conversation"
    messages = [*_system(row), *messages_of(row[key], key)]
    return {"messages": messages, **_tools(row), "meta": _others(row, key, "system", "tools")}


def _messages(row: Values) -> dict[str, Any]:
    meta = _merged(row, _others(row, "messages", "tools", "conversation_version", "meta"))
    return {"messages": messages_of(row["messages"], "messages"), **_tools(row), "meta": meta}


def _trace(row: Values) -> dict[str, Any]:
    """A ReasoningTrace. Other fields (analysis, techniques, fitness, ...) go to `meta`."""
    meta = _merged(row, _others(row, *ReasoningTrace.model_fields))
    values = {key: row[key] for key in ReasoningTrace.model_fields if key in row}
    if values.get("trace_version") in ("1.0", 1):
        values["trace_version"] = "1"
    return {**values, "final_answer": _text(row, "final_answer"), "meta": meta}


def _gsm8k(row: Values) -> dict[str, Any]:
    """{"question", "answer"}: `worked_answer` says how the answer is read."""
    lines, final = worked_answer(_text(row, "answer"))
    steps = [{"i": i, "type": "reason", "content": line} for i, line in enumerate(lines, start=1)]
    others = _others(row, "question", "answer")
    return {"prompt": _text(row, "question").strip(), "final_answer": final, "steps": steps, "meta": others}


def _is_question(row: Values) -> bool:
    # With choices, the answer is a letter or a number that says nothing without them.
    return {"question", "answer"} <= {key.lower() for key in row} and "choices" not in row


def _is_gsm8k(row: Values) -> bool:
    # At the end, where a heading of Markdown would have its text below it. MetaMathQA adds a line `The answer is: 72`.
    return {"question", "answer"} <= row.keys() and "####" in "".join(str(row["answer"]).strip().split("\n")[-2:])


def _merged(row: Values, others: Mapping[str, Any]) -> dict[str, Any]:
    """The row's own `meta` with its other fields."""
    meta = row.get("meta", {})
    if not isinstance(meta, Mapping):
        raise ValueError(f"meta holds {type(meta).__name__}, must be an object")
    both = sorted(others.keys() & meta.keys())
    if both:
        raise ValueError(f"{both[0]!r} is given both in meta and beside it; keep one")
    return {**meta, **others}


def _exchange(prompt: str, response: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]


def _system(row: Values) -> list[dict[str, Any]]:
    text = text_of(row.get("system"))
    return [{"role": "system", "content": text}] if text and text.strip() else []


def _tools(row: Values) -> dict[str, Any]:
    """The schemas of tools, which may be given as JSON text."""
    tools = row.get("tools")
    if isinstance(tools, str):
        try:
            tools = parse_json(tools or "[]")
        except Unreadable as error:
            raise ValueError(f"'tools' is {error}") from None
    return {"tools": tools} if tools else {}


def _text(row: Values, field: str) -> str:
    value = text_of(row.get(field))
    if value is None or not value.strip():
        raise ValueError(f"{field!r} is {row.get(field)!r:.60}, must be a text or a number, and not empty")
    return value


def _is_empty(value: Any) -> bool:
    """Whether a field is missing, null or blank."""
    text = "" if value is None else text_of(value)
    return text is not None and not text.strip()


def _others(row: Values, *known: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in known}


def _names(fields: Iterable[str]) -> str:
    return ", ".join(fields)


# In the order in which `auto` tries them: a format before those whose fields it has, too.
FORMATS: tuple[Format, ...] = (
    Format("messages", lambda row: "messages" in row, "messages", _messages),
    Format("sharegpt", lambda row: "conversations" in row or "conversation" in row, "conversations", _sharegpt),
    Format("traces", lambda row: {"prompt", "final_answer"} <= row.keys(), "prompt, final_answer", _trace),
    Format("alpaca", lambda row: {"instruction", "output"} <= row.keys(), "instruction, output", _alpaca),
    _pair("prompt-response", ("prompt",), "response"),
    Format("prompt-completion", lambda row: {"prompt", "completion"} <= row.keys(), "prompt, completion", _completion),
    Format("gsm8k", _is_gsm8k, "question, answer with '#### N' at the end", _gsm8k),
    Format("question-answer", _is_question, "question, answer", _question),
    _pair("mawps", ("sQuestion",), "lSolutions"),
)
