"""Reading a prompt: its numbers, number words and quotations."""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction


class Prompt(list[Fraction]):
    """Every number in digits, in order (a minus sign counts where nothing stands before it), and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(Fraction(n) for n in re.findall(r"(?<![\w)])-\d+(?:\.\d+)?|\d+(?:\.\d+)?", text))
        self.text = text


Solver = Callable[[Prompt], object]

WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}


def word(pattern: str, text: str) -> int:
    """The number word that the group of `pattern` finds."""
    return WORDS[found(pattern, text)]


def found(pattern: str, text: str) -> str:
    """The first group of `pattern` in `text`."""
    return groups(pattern, text)[0]


def groups(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    assert match, f"{pattern!r} is not in {text!r}"
    return match.groups()


def quoted(text: str) -> list[str]:
    return re.findall(r'"([^"]*)"', text)


def rounded(value: Fraction, places: int) -> str:
    """`value` with `places` decimals, half up."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def percent(value: Fraction) -> str:
    assert value.denominator == 1
    return f"{value}%"


def reduced(value: Fraction) -> str:
    """Always as p/q."""
    return f"{value.numerator}/{value.denominator}"


def root(square: Fraction) -> Fraction:
    """The whole number whose square this is."""
    return next(Fraction(k) for k in range(10_000) if k * k == square)
