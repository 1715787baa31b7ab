"""The mathematical expression in an answer, as LaTeX or plain text, for a parser that would read words as variables."""

import re

from eval.answers.normalise import normalise
from eval.answers.stated import denies
from eval.answers.units import UNITS

LONGEST = 1000  # characters

_FORMULA = re.compile(r"\$+([^$]+)\$+|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_TEXT = re.compile(r"\\(?:text|mathrm|mbox)\{([^{}]*)\}")
_OR = re.compile(r"\s*(?:\\text\{\s*(?:or|and)\s*\}|\b(?:or|and)\b)\s*")
_WORD = re.compile(r"(?<!\\)\b[A-Za-z]{3,}\b|\b(?:is|no|if|of|to)\b")
_NAMES = """sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log exp sqrt frac dfrac inf"""
_FUNCTIONS = frozenset(_NAMES.split())
_ARITHMETIC = re.compile(r"[-+*/^().,\d\s]*\d[-+*/^().,\d\s]*")
# Of a number, another form has roots, constants and functions, but no variable, relation, unit or colon.
_CLOSED_FORM = re.compile(r"(?:[-+*/^().{}\s\d]|\\?(?:sqrt|pi|log|ln|exp|sin|cos|tan|frac|binom|e)(?![a-z]))+")
_DATE_OR_RANGE = re.compile(r"\d+(?:-\d+)+|\d+(?:/\d+){2,}")  # no subtraction, and no division


def expression(answer: str) -> str | None:
    r"""The expression that `answer` is, or the only formula in it; `1 \text{ or } 2` is `1, 2`.

    None if there is no formula among the words, more than one, or a word that denies it.
    """
    if len(answer) > LONGEST or _DATE_OR_RANGE.fullmatch(normalise(answer)):
        return None
    formulas = _FORMULA.findall(answer)
    if len(formulas) > 1:
        return None
    text = answer.strip().rstrip(".")
    if formulas:
        if denies(_FORMULA.sub(" ", answer).casefold()):
            return None
        text = "".join(formulas[0])
    text = _TEXT.sub(_without_unit, _OR.sub(", ", text)).strip()
    words = {word.casefold() for word in _WORD.findall(re.sub(r"\\[A-Za-z]+", " ", text))}
    return None if not text or words - _FUNCTIONS else text


def may_be_number(answer: str) -> bool:
    """Whether `answer` may be another form of a number, such as `2\\sqrt3` or `0.25`.

    It may not if it is a calculation with plain numbers, which was not carried out: `2 + 3` for 5.
    """
    text = normalise(answer)
    if len(text) > LONGEST:
        return False
    if _ARITHMETIC.fullmatch(text):
        return re.fullmatch(r"-?\d*\.?\d*", text) is not None
    return _CLOSED_FORM.fullmatch(text) is not None


def _without_unit(text: re.Match[str]) -> str:
    return "" if text[1].strip().casefold() in UNITS else text[0]
