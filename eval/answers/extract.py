"""Extract the answer from a model's text, strictly (from where an answer belongs) or leniently (the last number).

docs/evaluation.md states the rules, their order and the reasons. Scorers report the two separately.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from eval.answers.phrase import answer_phrase
from eval.answers.visible import visible

Rule = Literal["answer tag", "hash marks", "boxed", "answer phrase", "last line", "last number", "last letter"]

_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_HASH_MARKS = re.compile(r"####[^\S\n]*([^\n]*)")  # GSM8K's own layout, and Markdown's for a small heading
_STARTS_WITH_NUMBER = re.compile(r"(?:[^\w\n]|\\\w+\{)*\d(?!\d*[.)]\s+[A-Za-z])")  # not the heading `2. Add`
_ANSWER_HEADING = re.compile(r"[\W_]*(?:(?:final|the) )?(?:answer)?[\W_]*", re.IGNORECASE)
_BRACE = re.compile(r"\\f?box(?:ed)?\s*\{|[{}]")
# A line that only opens or closes a formula or a block of code, or divides.
_NO_TEXT = re.compile(r"\s*(?:\\[\[\]()]|\$\$?|```\w*|~~~|[-*_=]{3,})?\s*")
_TAKEN_BACK = re.compile(
    r"""(?:(?<![a-z,][ ])|(?<=but[ ])|(?<=no,[ ])|(?<=oh,[ ]))\bwait(?=[,.!:]|[ ]-)
    | (?P<denied>
        \b(?:correction: | i[ ]made[ ]an?[ ](?:mistake|error) | that(?:'s|[ ]is)[ ](?:wrong|incorrect|not[ ]right)
        | (?:hmm|no),?[ ]actually | hmm[,.]*[ ]let[ ]me[ ](?:recompute|recalculate|recount|redo|rethink|reconsider)
        | actually,?[ ]no(?![\w ]) | i[ ]meant))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER = re.compile(
    r"""(?:(?<![\w)\]%.])[-\N{MINUS SIGN}\N{EN DASH}])?  # a sign, unless it is a subtraction
    [$€£¥]?
    (?<![A-Za-z_\d])(?<!\d\.)  # not the 2 of CO2 or of 1.2.3
    (?>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\.)\.\d+)(?!\.\d)
    (?:e[-+]?\d+|/\d+)?%?""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Extracted:
    """`answer` as written in the text, without surrounding white space, and the rule that found it."""

    answer: str
    rule: Rule


def extract(text: str) -> Extracted | None:
    """The answer by the first rule that finds one; None if nothing but white space is left of the visible text.

    If the model takes its answer back ("Wait, I forgot one."), what it marks as its answer afterwards comes first. What
    it calls wrong ("That is wrong.") is no answer at all.
    """
    text = visible(text).strip()
    rest, denied = _after_taken_back(text)
    found = _marked(rest) or (None if denied else _marked(text))
    if found is None and text:
        found = Extracted(_last_line(rest if denied and rest.strip() else text), "last line")
    return found


def last_number(text: str) -> Extracted | None:
    """The last number in the strict extraction, else in all of the visible text; None if there is none."""
    marked = extract(text)
    for part in (marked.answer if marked else "", visible(text)):
        numbers = _NUMBER.findall(part)
        if numbers:
            return Extracted(numbers[-1], "last number")
    return None


def _marked(text: str) -> Extracted | None:
    for rule, find in _RULES:
        found = find(text)
        if found is not None:
            return Extracted(_innermost(found), rule)
    return None


def _innermost(answer: str) -> str:
    r"""The answer of `The answer is \boxed{5}.` that stands in a tag or after hash marks."""
    inner = _last_boxed(answer)
    if inner is None:
        inner = answer_phrase(answer)
    lines = (answer if inner is None else inner).strip().split("\n")
    while len(lines) > 1 and _NO_TEXT.fullmatch(lines[-1]):
        lines.pop()
    while len(lines) > 1 and _NO_TEXT.fullmatch(lines[0]):
        lines.pop(0)
    return "\n".join(lines).strip()


def _after_taken_back(text: str) -> tuple[str, bool]:
    """What follows the last words that take an answer back, and whether any call it wrong; empty without such words."""
    lower = text.lower()  # the search below is slow, and few texts hold one of these words
    if not any(
        word in lower for word in ("wait", "correct", "made a", "wrong", "not right", "actually", "i meant", "hmm")
    ):
        return "", False
    found = list(_TAKEN_BACK.finditer(text))
    return (text[found[-1].end() :], any(words["denied"] for words in found)) if found else ("", False)


def _last_tag(text: str) -> str | None:
    """The content of the last tag. One that was never closed counts up to the end of its first line."""
    if "<" not in text:
        return None
    found, start = None, None
    for tag in _TAG.finditer(text):
        if not tag[1]:
            start = tag.end()
        elif start is not None:
            found, start = text[start : tag.start()], None
    rest = "" if start is None else text[start:].strip()
    if not rest:
        return found
    return rest if _last_boxed(rest) or answer_phrase(rest) else _next_line(rest, 0) or rest


def _last_hash_marks(text: str) -> str | None:
    """The rest of the last line after hash marks that is no heading: it starts with a number, or ends the text."""
    if "####" not in text:
        return None
    for marks in reversed(list(_HASH_MARKS.finditer(text))):
        below = _next_line(text, marks.end())
        if below is None or _STARTS_WITH_NUMBER.match(marks[1]) or answer_phrase(marks[1]):
            return marks[1]
        if _ANSWER_HEADING.fullmatch(marks[1]):
            return below
    return None


def _last_boxed(text: str) -> str | None:
    r"""The content of the last \boxed{} whose braces are closed; braces may be nested."""
    if "box" not in text:
        return None
    found: str | None = None
    open_braces: list[int | None] = []  # where the content of a box starts; None for any other brace
    for brace in _BRACE.finditer(text):
        if brace[0] != "}":
            open_braces.append(None if brace[0] == "{" else brace.end())
        elif open_braces and (start := open_braces.pop()) is not None:
            found = text[start : brace.start()]
    return found


def _last_line(text: str) -> str:
    lines = text.split("\n")
    return next((line.strip() for line in reversed(lines) if not _NO_TEXT.fullmatch(line)), lines[-1])


def _next_line(text: str, start: int) -> str | None:
    """The first line from `start` on that holds some text."""
    while start < len(text):
        end = text.find("\n", start)
        line = text[start:] if end < 0 else text[start:end]
        if not _NO_TEXT.fullmatch(line):
            return line.strip()
        start += len(line) + 1
    return None


# Each rule takes the last match, since a model may correct itself.
_RULES: tuple[tuple[Rule, Callable[[str], str | None]], ...] = (
    ("answer tag", _last_tag),
    ("hash marks", _last_hash_marks),
    ("boxed", _last_boxed),
    ("answer phrase", answer_phrase),
)
