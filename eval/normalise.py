"""Answers that mean the same get the same text."""

import re

MINUS_SIGNS = "\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}\N{NON-BREAKING HYPHEN}\N{FULLWIDTH HYPHEN-MINUS}"
QUOTES = "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
DOUBLE_QUOTES = "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
LOOKALIKES = str.maketrans(
    dict.fromkeys(MINUS_SIGNS, "-") | dict.fromkeys(QUOTES, "'") | dict.fromkeys(DOUBLE_QUOTES, '"')
)

AROUND = " \"'`*"  # quotes and Markdown emphasis
TRAILING = " .,;:!?"
CURRENCY = re.compile(r"(?:[$€£¥]\s*)+(?=[-+]?\.?\d)|(?<=\d)(?:\s*[$€£¥])+$")
THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?!\d|,\d)")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)")


def normalise(answer: str) -> str:
    """`answer` without differences of case, white space, punctuation around it and number format.

    "$1,234.50." is 1234.5; "−3" (Unicode minus) is -3; "**Paris**" is paris. Idempotent.
    """
    text = " ".join(answer.translate(LOOKALIKES).casefold().split())
    text = _strip(text) or text
    text = CURRENCY.sub("", text)
    text = THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)
    return _number(text) if NUMBER.fullmatch(text) else text


def _strip(text: str) -> str:
    """Take off what stands around, however nested: **"Paris".** is Paris."""
    stripped = text.strip(AROUND).rstrip(TRAILING)
    return stripped if stripped == text else _strip(stripped)


def _number(text: str) -> str:
    """Plain digits without a plus sign, leading or trailing zeros: +007.50 is 7.5, -0 is 0."""
    whole, _, fraction = text.lstrip("+-").partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    value = f"{whole}.{fraction}" if fraction else whole
    return f"-{value}" if text.startswith("-") and value != "0" else value
