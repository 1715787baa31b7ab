"""Finding the answer in what a model wrote. docs/evaluation.md states the order and why it is so."""

import re
from dataclasses import dataclass
from typing import Literal

Rule = Literal["answer tag", "hash marks", "answer phrase", "last line"]

# The first rule that finds anything decides; within a rule the last find does, since a model may correct itself.
PATTERNS: tuple[tuple[Rule, re.Pattern[str]], ...] = (
    ("answer tag", re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)),
    ("hash marks", re.compile(r"####[ \t]*([^\n]*)")),  # GSM8K's own layout
    ("answer phrase", re.compile(r"\banswer(?:[ \t]+is\b[ \t]*:?|[ \t]*[:=])[ \t]*([^\n]+)", re.IGNORECASE)),
)
SENTENCE_END = re.compile(r"[.!?](?=\s|$)")


@dataclass(frozen=True)
class Extracted:
    """`answer` as it stands in the text, less surrounding white space, and the rule that found it."""

    answer: str
    rule: Rule


def extract(text: str) -> Extracted | None:
    """The answer in `text`; None when there is only white space."""
    for rule, pattern in PATTERNS:
        found = pattern.findall(text)
        if found:
            answer = SENTENCE_END.split(found[-1])[0] if rule == "answer phrase" else found[-1]
            return Extracted(answer.strip(), rule)
    return Extracted(text.strip().split("\n")[-1].strip(), "last line") if text.strip() else None
