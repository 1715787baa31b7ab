"""Normalise answers, so that answers with the same meaning have the same text."""

import re
import unicodedata
from functools import lru_cache

from eval.answers.latex import plain
from eval.answers.visible import INVISIBLE

MINUS_SIGNS = "\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FULLWIDTH HYPHEN-MINUS}"
TIMES_SIGNS = "\N{MULTIPLICATION SIGN}\N{DOT OPERATOR}\N{MIDDLE DOT}\N{ASTERISK OPERATOR}\N{MULTIPLICATION X}"
QUOTES = "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
DOUBLE_QUOTES = "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
LOOKALIKES = str.maketrans(
    dict.fromkeys(MINUS_SIGNS, "-")
    | dict.fromkeys(TIMES_SIGNS, "*")
    | dict.fromkeys(QUOTES, "'")
    | dict.fromkeys(DOUBLE_QUOTES, '"')
    | {"\N{DIVISION SIGN}": "/", "\N{FRACTION SLASH}": "/", "\N{DIVISION SLASH}": "/"}
)
SUPERSCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")  # x² is x^2; NFKC alone would make it x2
VULGAR_FRACTION = re.compile("[¼-¾⅐-⅞]")  # 1½ is 1 1/2; NFKC alone would make it 11/2
THIN_THOUSANDS = re.compile("(?<=\\d)[\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}](?=\\d{3}(?!\\d))")
ROOT = re.compile(r"\N{SQUARE ROOT}\s*(?:\(([^()]*)\)|(\w+))")

AROUND = " \"'`*_"  # quotes and Markdown emphasis
TRAILING = " .,;:!?"
THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?!\d|,\d)")
COMMA = re.compile(r"\s*,\s*")
OPERATOR = re.compile(r"\s*([=+*/^])\s*")  # not the minus sign: "- 3" may be an item of a list
CLOCK = re.compile(r"(?<=\d) ?([ap])\.?m\b\.?")  # 5:30 p.m. is 5:30 pm
NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)")


CACHED_LENGTH = 100  # short answers repeat, whole texts do not


def normalise(answer: str) -> str:
    """`answer` without differences of case, white space, punctuation around it, signs, LaTeX and number format.

    "1,234.50." is 1234.5; "−3" (Unicode minus) is -3; "**Paris**" is paris; "$\\frac{1}{2}$" is 1/2.
    """
    return _cached(answer) if len(answer) <= CACHED_LENGTH else _normalise(answer)


def _normalise(answer: str) -> str:
    before, text = None, answer
    while before != text:  # "$3$." is a formula once its full stop is gone
        before = _bare(plain(text))
        text = plain(before)
    text = THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)
    text = CLOCK.sub(r" \1m", OPERATOR.sub(r"\1", COMMA.sub(", ", text))).strip()
    if "$" in text and text != before:  # "0$/ $" ends with a formula once its space is gone
        return _normalise(text)
    return _number(text) if NUMBER.fullmatch(text) else text


_cached = lru_cache(maxsize=1 << 16)(_normalise)


def _bare(text: str) -> str:
    """`text` in lower case, with single spaces and ASCII signs, and without quotes and punctuation around it."""
    if not text.isascii():
        text = _ascii_signs(text)
    text = " ".join(text.casefold().split())
    return _strip(text) or text


def _ascii_signs(text: str) -> str:
    text = THIN_THOUSANDS.sub(",", INVISIBLE.sub("", text))
    text = ROOT.sub(lambda found: f"sqrt({found[1] or found[2]})", text)
    text = SUPERSCRIPTS.sub(lambda found: "^" + unicodedata.normalize("NFKC", found[0]), text)
    text = VULGAR_FRACTION.sub(lambda found: " " + unicodedata.normalize("NFKC", found[0]), text)
    return unicodedata.normalize("NFKC", text.translate(LOOKALIKES)).translate(LOOKALIKES)


def _strip(text: str) -> str:
    """Strip quotes, emphasis and punctuation, however nested: **"Paris".** is Paris."""
    return text.rstrip(AROUND + TRAILING).lstrip(AROUND)


def _number(text: str) -> str:
    """Plain digits without a plus sign, leading or trailing zeros: +007.50 is 7.5, -0 is 0."""
    whole, _, fraction = text.lstrip("+-").partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    value = f"{whole}.{fraction}" if fraction else whole
    return f"-{value}" if text.startswith("-") and value != "0" else value
