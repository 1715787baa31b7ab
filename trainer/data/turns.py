"""The turns of a conversation as a chat template is given them."""

from collections.abc import Sequence
from typing import Any, Literal

from podium.core.json_text import parse_json
from podium.core.plain_values import Unreadable
from podium.core.records import Message

BETWEEN = "\n\n"  # between a system text and what follows it, as in Gemma 3's template


def with_system(turns: Sequence[Message], system: str | None) -> tuple[Message, ...]:
    """The turns after data.system. A conversation's own system turn follows it in the same turn."""
    if system is None:
        return tuple(turns)
    if turns[0].role == "system":
        return (turns[0].model_copy(update={"content": f"{system}{BETWEEN}{turns[0].content}"}), *turns[1:])
    return (Message(role="system", content=system), *turns)


def folded(turns: Sequence[Message]) -> tuple[Message, ...]:
    """The turns with a system turn's text put before that of the user's turn after it."""
    if len(turns) < 2 or (turns[0].role, turns[1].role) != ("system", "user"):
        return tuple(turns)
    content = f"{turns[0].content}{BETWEEN}{turns[1].content}"
    return (turns[1].model_copy(update={"content": content}), *turns[2:])


def learned_turns(turns: Sequence[Message], loss_on: Literal["all", "last"]) -> list[int]:
    """The numbers of the assistant's turns that the loss counts. A turn of weight 0 is none of them."""
    numbers = [number for number, turn in enumerate(turns) if turn.role == "assistant" and turn.weight]
    return numbers if loss_on == "all" else numbers[-1:]


def template_message(turn: Message) -> dict[str, Any]:
    """A turn with the keys that chat templates read. Absent ones are left out: templates ask whether they exist."""
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.tool_calls:
        message["tool_calls"] = [_with_arguments(call) for call in turn.tool_calls]
    if turn.tool_call_id is not None:
        message["tool_call_id"] = turn.tool_call_id
    if turn.name is not None:
        message["name"] = turn.name
    return message


def _with_arguments(call: dict[str, Any]) -> dict[str, Any]:
    """A tool call with its arguments as an object: the API writes them as a string of JSON, templates write JSON."""
    if isinstance(call.get("function"), dict):
        return {**call, "function": _with_arguments(call["function"])}
    try:
        arguments = parse_json(call["arguments"]) if isinstance(call.get("arguments"), str) else None
    except Unreadable:
        arguments = None
    return {**call, "arguments": arguments} if isinstance(arguments, dict) else call
