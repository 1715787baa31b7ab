"""Gold answers: the same answer from the same line, for trainsets and evalsets alike."""

import re

_HASH_MARKS = re.compile(r"####[ \t]*([^\n]*)")
_CALCULATOR_MARK = re.compile(r"<<[^<>]*>>")  # GSM8K: 48/2 = <<48/2=24>>24
_THOUSANDS_COMMA = re.compile(r"(?<=\d),(?=\d{3}\b)")
# `**Answer**: 42`, `The final answer is: 42`
_LABEL = re.compile(
    r"[*_#\s]*(?:the\s+)?(?:final\s+|correct\s+)?answer[*_\s]*(?:is\b[*_\s]*:?|[:：=])[*_\s]*", re.IGNORECASE
)
# What opens or closes a formula, a code block or a section: \] $$ ``` ```python --- ***
_MARKUP = re.compile(r"(?>\\[\[\]()]|\${2,}|`{3,}\w*|~{3,}\w*|-{3,}|\*{2,}|_{3,}|={3,}|#{2,}|</?\w+>|\s+)+")


def worked_answer(text: str) -> tuple[list[str], str]:
    """The steps and the final answer of a text in GSM8K's layout, which gives the answer in a line `#### 72`.

    The answer is the rest of the last such line, without commas between thousands, and the steps are the lines before
    it, without calculator annotations. What follows the line is left out.

    Raises:
        ValueError: there is no such line, or its rest is empty.
    """
    marks = list(_HASH_MARKS.finditer(text))
    final = bare_answer(marks[-1][1]) if marks else ""
    if not final:
        raise ValueError("the answer has no final line '#### N'")
    return steps_of(_CALCULATOR_MARK.sub("", text[: marks[-1].start()])), _THOUSANDS_COMMA.sub("", final)


def steps_of(text: str) -> list[str]:
    """The lines of a text that are not blank."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def bare_answer(text: str) -> str:
    """An answer without white space around it and without a label before it: 42 for `**Answer**: 42`."""
    label = _LABEL.match(text)
    return (text[label.end() :] if label else text).strip()


def fault_of_gold(answer: str) -> str | None:
    """Why no prediction can be equal to an expected answer; None if one can."""
    if _MARKUP.fullmatch(answer):
        return "is markup, not an answer"
    if bare_answer(answer) != answer.strip():
        return f"has a label before the answer; give {bare_answer(answer)!r} alone"
    return None
