"""Answers as numbers with units."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from eval.answers.normalise import CACHED_LENGTH, normalise
from eval.answers.units import NAMES, UNITS

# Matches normalised text. Longer numbers and larger exponents are compared as text, so that hostile input stays cheap.
VALUE = (
    r"(?:(?P<variable>[a-z])=)?"
    r"(?P<minus>-|(?:negative|minus) |)(?:(?P<currency>[$€£¥]) ?)?(?P<inner_minus>-?)"
    r"(?P<number>\d{1,300}(?:\.\d{0,300})?|\.\d{1,300})"
    r"(?:(?:e|\*10\^)\(?(?P<exponent>[-+]?\d{1,2})\)?|/(?P<over>\d{1,300})| (?P<top>\d{1,300})/(?P<bottom>\d{1,300}))?"
    r"(?: (?P<scale>hundred|thousand|million|billion|trillion)\b)?"
)
_QUANTITY = re.compile(rf"{VALUE} ?(?P<unit>[^\d\s].*)?")
_THOUSANDS = re.compile(r"(?<=\d)k\b")
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}


@dataclass(frozen=True)
class Quantity:
    """A quantity such as `x = 5 km`; `value` is exact. A percentage has the unit %.

    `unit` is a name of `units.py`, or in a sentence the word after the number, such as `apples`.
    """

    value: Fraction
    unit: str | None = None
    variable: str | None = None

    def agrees(self, right: "Quantity", tolerance: Fraction = Fraction(0)) -> bool:
        """Whether both have the same number, unit and variable; a missing unit or variable matches any.

        50% agrees with 0.5 and with 50. The numbers may differ by `tolerance`, absolute or relative to the right one,
        whichever allows more.
        """
        if not _compatible(self.variable, right.variable):
            return False
        if _compatible(self.unit, right.unit) and _near(self.value, right.value, tolerance):
            return True
        return {self.unit, right.unit} == {"%", None} and _near(self.share, right.share, tolerance)

    @property
    def known_unit(self) -> bool:
        return self.unit in NAMES

    @property
    def share(self) -> Fraction:
        return self.value / 100 if self.unit == "%" else self.value


def quantity(answer: str) -> Quantity | None:
    """`answer` as a quantity; None if it is not exactly one quantity, or its unit is unknown."""
    return _cached(answer) if len(answer) <= CACHED_LENGTH else _quantity(answer)


def _quantity(answer: str) -> Quantity | None:
    found = _QUANTITY.fullmatch(normalised(answer))
    if found is None:
        return None
    unit = UNITS.get(found["unit"]) if found["unit"] else None
    return None if found["unit"] and unit is None else from_match(found, unit)


_cached = lru_cache(maxsize=1 << 16)(_quantity)


def normalised(answer: str) -> str:
    """`normalise(answer)`, in which `3k` is `3 thousand`; only `3 k` and `3K` are in kelvin."""
    return normalise(_THOUSANDS.sub(" thousand", answer) if "k" in answer else answer)


def from_match(found: re.Match[str], unit: str | None) -> Quantity | None:
    """The quantity in a match of VALUE; None if it is a calculation that was not carried out, or has two signs."""
    value = _value(found)
    if value is None or (found["minus"] and found["inner_minus"]) or (found["currency"] and unit):
        return None
    sign = -1 if found["minus"] or found["inner_minus"] else 1
    return Quantity(sign * value * _SCALES.get(found["scale"], 1), found["currency"] or unit, found["variable"])


def _value(found: re.Match[str]) -> Fraction | None:
    number = Fraction(found["number"])
    if found["exponent"]:
        # Scientific notation has one digit before the point; 20*10^3 is an unfinished calculation.
        return number * Fraction(10) ** int(found["exponent"]) if 1 <= number < 10 else None
    if found["over"]:
        return _fraction(found["number"], found["over"])
    if found["bottom"]:
        part = _fraction(found["top"], found["bottom"])
        return number + part if part is not None and part < 1 and number.denominator == 1 else None
    return number


def _fraction(top: str, bottom: str) -> Fraction | None:
    """A fraction in lowest terms, else None: 12/4 is not 3, because a copied task is not an answer."""
    if not top.isdigit() or int(bottom) < 2 or math.gcd(int(top), int(bottom)) != 1:
        return None
    return Fraction(int(top), int(bottom))


def _near(value: Fraction, right: Fraction, tolerance: Fraction) -> bool:
    return value == right or (tolerance > 0 and abs(value - right) <= tolerance * max(Fraction(1), abs(right)))


def _compatible(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other
