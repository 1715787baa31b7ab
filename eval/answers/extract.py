"""Extract the answer from a model's text, strictly (from where an answer belongs) or leniently (the last number).

docs/evaluation.md states the rules, their order and the reasons. Scorers report the two separately.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Rule = Literal["answer tag", "hash marks", "boxed", "answer phrase", "last line", "last number", "last letter"]

_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_HASH_MARKS = re.compile(r"####[ \t]*([^\n]*)")  # GSM8K's own layout
_BRACE = re.compile(r"\\boxed\s*\{|[{}]")
_PHRASE = re.compile(r"\banswer(?:[ \t]+is\b[ \t]*:?|[ \t]*[:=])[ \t]*([^\n]*\w[^\n]*)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
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
    """The answer by the first rule that finds one; None if the text is only white space."""
    for rule, find in _RULES:
        found = find(text)
        if found is not None:
            return Extracted(found.strip(), rule)
    return None


def last_number(text: str) -> Extracted | None:
    """The last number in the strict extraction, else in all of `text`; None if there is none."""
    marked = extract(text)
    for part in (marked.answer if marked else "", text):
        numbers = _NUMBER.findall(part)
        if numbers:
            return Extracted(numbers[-1], "last number")
    return None


def _last_tag(text: str) -> str | None:
    """The content of the last closed tag; an open tag is ignored, because its text may be cut off."""
    found, start = None, None
    for tag in _TAG.finditer(text):
        if not tag[1]:
            start = tag.end()
        elif start is not None:
            found, start = text[start : tag.start()], None
    return found


def _last_boxed(text: str) -> str | None:
    r"""The content of the last \boxed{} whose braces are closed; braces may be nested."""
    found: str | None = None
    open_braces: list[int | None] = []  # where the content of a box starts; None for any other brace
    for brace in _BRACE.finditer(text):
        if brace[0] != "}":
            open_braces.append(None if brace[0] == "{" else brace.end())
        elif open_braces and (start := open_braces.pop()) is not None:
            found = text[start : brace.start()]
    return found


def _last_of(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    def find(text: str) -> str | None:
        found = pattern.findall(text)
        return str(found[-1]) if found else None

    return find


def _phrase(text: str) -> str | None:
    found = _last_of(_PHRASE)(text)
    return None if found is None else _SENTENCE_END.split(found)[0]


def _last_line(text: str) -> str | None:
    return text.strip().split("\n")[-1] if text.strip() else None


# Each rule takes the last match, since a model may correct itself.
_RULES: tuple[tuple[Rule, Callable[[str], str | None]], ...] = (
    ("answer tag", _last_tag),
    ("hash marks", _last_of(_HASH_MARKS)),
    ("boxed", _last_boxed),
    ("answer phrase", _phrase),
    ("last line", _last_line),
)
