"""Where the assistant's turns stand in a rendered conversation.

Most templates write the same text around the contents of all conversations with the same roles. This text is found
once per sequence of roles (`frame`), and tells the places if it and the contents make up the rendered conversation.

Otherwise the conversation is rendered again, with a mark at the end of every turn. The two must be equal except for the
marks, so the marks show where each turn ends, whatever the template trims, leaves out or adds.

A turn begins after the text with which the template asks for a reply, as in decoding.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from podium.core.errors import UsageError

# Characters for private use, which no template and hardly any text contains.
MARK = re.compile("\ue000([0-9]+)\ue001")
Turn = Mapping[str, Any]


@dataclass(frozen=True)
class Turnover:
    """What a template writes around the text of the assistant's turn."""

    openings: tuple[str, ...]  # between the turn before and the reply
    asks: str  # how a prompt ends in decoding
    end: str  # after the reply
    closing: str = ""  # added at the end of a conversation, if the template ends a reply with no token


@dataclass(frozen=True)
class Frame:
    """What a template writes around the turns of every conversation with the same roles."""

    around: tuple[str, ...]  # before each turn, and after the last
    reach: Mapping[int, tuple[int, int]]  # of each reply, the characters before and after its text that belong to it
    as_decoded: Mapping[int, bool]  # of each reply, whether it begins as one does in decoding

    def spans(self, text: str, turns: Sequence[Turn], learned: Sequence[int]) -> list[tuple[int, int]] | None:
        """As `spans`; None if the frame and the contents, as they are or trimmed, do not make up the text."""
        for contents in ([turn["content"] for turn in turns], [turn["content"].strip() for turn in turns]):
            pieces = [piece for pair in zip(self.around, contents, strict=False) for piece in pair]
            if "".join(pieces) + self.around[-1] == text:
                ends = list(accumulate(map(len, pieces)))
                return [
                    (ends[2 * number] - self.reach[number][0], ends[2 * number + 1] + self.reach[number][1])
                    for number in learned
                ]
        return None


def blank(roles: Sequence[str]) -> list[Turn]:
    """Turns that consist of marks only."""
    return marked([{"role": role, "content": ""} for role in roles])


def frame(rendered: str, roles: Sequence[str], turnover: Turnover) -> Frame | None:
    """The frame that the rendered turns of `blank` show; None if they show none."""
    parts = MARK.split(rendered)
    if parts[1::2] != [str(number) for number in range(len(roles))]:
        return None
    text, turns = "".join(parts[::2]), [{"role": role, "content": ""} for role in roles]
    places = dict(enumerate(accumulate(map(len, parts[:-1:2]))))
    reach, as_decoded = {}, {}
    for number, role in enumerate(roles):
        if role == "assistant":
            try:
                ((start, end),), as_decoded[number] = spans(text, places, turns, [number], turnover)
            except UsageError:
                return None
            reach[number] = places[number] - start, end - places[number]
    return Frame(tuple(parts[::2]), reach, as_decoded)


def marked(turns: Sequence[Turn], only: str | None = None) -> list[Turn]:
    """The turns with marks at the ends of their texts, of the role `only` or of all."""
    return [
        turn if only not in (None, turn["role"]) else _marked(turn, f"\ue000{number}\ue001")
        for number, turn in enumerate(turns)
    ]


def _marked(turn: Turn, mark: str) -> Turn:
    if not turn.get("tool_calls"):
        content = turn["content"].rstrip()  # a template that trims must find the same white space at the end
        return {**turn, "content": content + mark + turn["content"][len(content) :]}
    *calls, last = turn["tool_calls"]
    function = last.get("function", last)
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise UsageError("a tool call has no function with a name, which chat templates write")
    function = {**function, "name": function["name"] + mark}
    return {**turn, "tool_calls": [*calls, {**last, "function": function} if "function" in last else function]}


def positions(text: str, with_marks: str, turns: Sequence[Turn], only: str | None = None) -> dict[int, int] | None:
    """The place in `text` of each turn's mark, by the turn's number; None if the marks have changed the text.

    Raises:
        UsageError: the template leaves out a turn.
    """
    parts = MARK.split(with_marks)
    found = [int(number) for number in parts[1::2]]
    expected = [number for number, turn in enumerate(turns) if only in (None, turn["role"])]
    if found != expected:
        number = next((number for number in expected if number not in found), expected[0])
        what = "tool calls" if turns[number].get("tool_calls") else "text"
        raise UsageError(
            f"the chat template leaves out or moves the {what} of turn {number + 1} ({turns[number]['role']})"
        )
    if "".join(parts[::2]) != text:
        return None
    places, end = {}, 0
    for number, part in zip(found, parts[::2], strict=False):
        end += len(part)
        places[number] = end
    return places


def spans(
    text: str, places: Mapping[int, int], turns: Sequence[Turn], learned: Iterable[int], turnover: Turnover
) -> tuple[list[tuple[int, int]], bool]:
    """(start, end) in `text` of each learned turn with its end, and whether all begin as a reply does in decoding.

    Raises:
        UsageError: a turn's beginning cannot be found.
    """
    found, as_decoded = [], True
    for number in learned:
        before = max((place for other, place in places.items() if other < number), default=0)
        start = _start(text, before, places[number], turns[number], turnover)
        if start is None:
            raise UsageError(f"cannot tell where the chat template begins turn {number + 1} (assistant)")
        as_decoded &= text.endswith(turnover.asks, 0, start)
        found.append((start, _end(text, number, places, turns, turnover)))
    return found, as_decoded


def _start(text: str, low: int, place: int, turn: Turn, turnover: Turnover) -> int | None:
    """Where a turn begins: after the opening that occurs first, and of several there after the longest."""
    at = [(text.find(opening, low, place), -len(opening)) for opening in turnover.openings]
    if occurring := sorted(one for one in at if one[0] >= 0):
        start, length = occurring[0]
        return start - length
    for content in (turn["content"].rstrip(), turn["content"].strip()):
        if content and text.endswith(content, low, place):
            return place - len(content)
    return None


def _end(text: str, number: int, places: Mapping[int, int], turns: Sequence[Turn], turnover: Turnover) -> int:
    """Where a turn ends: after the template's end of a turn, which its EOS follows at the end of a conversation."""
    if turnover.closing and number == len(turns) - 1:
        return len(text)
    place, content = places[number], turns[number]["content"]
    space = len(content) - len(content.rstrip())  # after the mark, unless the template trims
    if text.startswith(content[len(content) - space :] + turnover.end, place):
        return place + space + len(turnover.end)
    limit = min((other for later, other in places.items() if later > number), default=len(text))
    at = text.find(turnover.end, place, limit)
    return at + len(turnover.end) if at >= 0 else place
