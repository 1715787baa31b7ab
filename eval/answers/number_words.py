"""Numbers that are written as words, from two on: "twenty-five" is 25."""

import re

_UNITS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SMALL = {
    **{"zero": 0, "one": 1, "dozen": 12},
    **{word: number for number, word in enumerate(_UNITS.split(), start=2)},
    **{word: 10 * number for number, word in enumerate(_TENS.split(), start=2)},
}
_WORD = "|".join(sorted({*_SMALL, *_SCALES}, key=len, reverse=True))
_NUMBER = re.compile(rf"\b(?:{_WORD})(?:(?:[ -]| and )(?:{_WORD}))*\b")


def number_words(text: str) -> list[int]:
    """The values of the numbers in `text`, which is in lower case. A lone "one" is none: it is a pronoun as often."""
    return [_value(found[0]) for found in _NUMBER.finditer(text) if found[0] != "one"]


def _value(words: str) -> int:
    total, part = 0, 0
    for word in re.split("[ -]", words):
        if word in _SMALL:
            part += _SMALL[word]
        elif word == "hundred":
            part = max(part, 1) * 100
        elif word in _SCALES:
            total, part = total + max(part, 1) * _SCALES[word], 0
    return total + part
