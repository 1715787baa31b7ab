"""Turns of a conversation as chat formats write them, as messages of a Conversation. Contents stay as they are."""

import math
from collections.abc import Mapping
from typing import Any

from podium.core.json_text import parse_json
from podium.core.plain_values import Unreadable

Values = Mapping[str, Any]

ROLES = {
    "system": "system",
    "developer": "system",
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "model", "bot", "bing", "bard", "function_call"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation", "function_response"), "tool"),
}
# A turn's other fields (an id, a time) say nothing to a model and are left out, except what a model would be to learn.
THOUGHTS = ("reasoning_content", "reasoning", "thinking")


def messages_of(turns: Any, key: str) -> list[dict[str, Any]]:
    """The messages of the list of turns `row[key]`; ShareGPT's `from` and `value` are read as `role` and `content`.

    An empty system turn, as sets have that give every conversation one, is left out.

    Raises:
        ValueError: it is no list of objects, or a turn has an unknown role or content; the message names the turn.
    """
    # A column of lists, as older versions of `datasets` store a list of objects.
    if isinstance(turns, Mapping) and all(isinstance(values, list) for values in turns.values()):
        turns = [dict(zip(turns, values, strict=True)) for values in zip(*turns.values(), strict=True)]
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, Mapping) for turn in turns):
        raise ValueError(f"{key!r} must be a list of objects with role and content, or from and value")
    messages = [_message(turn, f"{key}[{place}]") for place, turn in enumerate(turns)]
    for place, message in enumerate(messages):
        if message["role"] != "system" and not message["content"].strip() and "tool_calls" not in message:
            raise ValueError(f"{key}[{place}] has an empty content")
    return [message for message in messages if message["content"].strip() or "tool_calls" in message]


def last_answer(messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """The messages before the last answer of the assistant that is to be learned, and its text.

    Raises:
        ValueError: there is none.
    """
    for place in range(len(messages) - 1, 0, -1):
        message = messages[place]
        if message["role"] == "assistant" and message["content"].strip() and message.get("weight", 1):
            return messages[:place], message["content"]
    raise ValueError("no turn of the assistant answers a turn of the user")


def text_of(value: Any) -> str | None:
    """A text as it is, a number as its text (145 for 145.0), a list of one of them as it; None for anything else.

    NaN and infinity, which some programs write for a missing value, are no numbers.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return text_of(value[0]) if isinstance(value, list) and len(value) == 1 else None


def _message(turn: Values, where: str) -> dict[str, Any]:
    given = {key: value for key, value in turn.items() if value is not None}
    said = given.get("role", given.get("from"))
    role = ROLES.get(said.lower()) if isinstance(said, str) else None
    if role is None:
        raise ValueError(f"{where} has role {said!r}, must be one of {', '.join(ROLES)}")
    for key in THOUGHTS:
        if given.get(key):
            raise ValueError(f"{where} has {key!r}, which would not be learned; put it into the content or remove it")
    content = _content(given.get("content", given.get("value", "")), where)
    message: dict[str, Any] = {"role": role, "content": content}
    calls = [_call(call, where) for call in given.get("tool_calls") or _single_call(given, said, content, where)]
    if calls:
        message |= {"tool_calls": calls, "content": "" if said == "function_call" else content}
    message |= {key: given[key] for key in ("tool_call_id", "name") if key in given}
    if "weight" in given:
        message["weight"] = int(given["weight"]) if given["weight"] in (0, 1) else given["weight"]
    return message


def _content(value: Any, where: str) -> str:
    """A text, or the texts of a list of parts, as they are."""
    if isinstance(value, list):
        kinds = [part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__ for part in value]
        other = next((kind for kind in kinds if kind not in ("text", "str")), None)
        if other:
            raise ValueError(f"{where} has a part of type {other!r}; only text is read")
        return "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in value)
    text = text_of(value)
    if text is None:
        raise ValueError(f"{where} has content {value!r:.60}, must be a text or a list of text parts")
    return text


def _single_call(given: Values, said: Any, content: str, where: str) -> list[Any]:
    """The call in OpenAI's former `function_call`, or in a turn of ShareGPT's role of that name."""
    if said == "function_call":
        try:
            call = parse_json(content)
        except Unreadable as error:
            raise ValueError(f"{where} is a function_call, so its value must be JSON: {error}") from None
        return call if isinstance(call, list) else [call]
    return [given["function_call"]] if "function_call" in given else []


def _call(call: Any, where: str) -> dict[str, Any]:
    """A call as chat templates read it: {"type": "function", "function": {"name", "arguments"}}."""
    call = {"type": "function", "function": call} if isinstance(call, Mapping) and "function" not in call else call
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise ValueError(
            f"{where} has a tool call {call!r:.60}, must be an object with a function's name and arguments"
        )
    return dict(call)
