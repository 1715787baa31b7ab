"""Numbers that are written as words: "twenty-five" is 25."""

import re

_UNITS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SMALL = {
    **{"zero": 0, "one": 1},
    **{word: number for number, word in enumerate(_UNITS.split(), start=2)},
    **{word: 10 * number for number, word in enumerate(_TENS.split(), start=2)},
}
_WORD = "|".join(sorted({*_SMALL, *_SCALES}, key=len, reverse=True))
_WORDS = rf"(?:{_WORD})(?:(?:[ -]| and )(?:{_WORD}))*\b"
_NUMBER = re.compile(rf"\b{_WORDS}")
# A longer sentence that begins with a number seldom states it; nor do three words that begin with the pronoun "one".
_PART = r"(?:hal(?:f|ves)|quarters?|\w+(?:rd|th)s?|tens|hundreds|thousands)"  # two thirds, three tens
_LEADING = re.compile(rf"((?:negative |minus )?)({_WORDS})(?!-| {_PART}\b)((?: \S+){{0,3}})$")


def number_words(text: str) -> list[int]:
    """The values of the numbers in `text`, which is in lower case. A lone "one" is none: it is a pronoun as often."""
    return [_value(found[0]) for found in _NUMBER.finditer(text) if found[0] != "one"]


def leading_number(text: str) -> str:
    """A short text in lower case that begins with a number in words, with digits: `5 apples` for `five apples`."""
    found = _LEADING.match(text)
    if found is None or (found[2] == "one" and found[3].count(" ") > 1):
        return text
    return f"{found[1]}{_value(found[2])}{found[3]}"


def _value(words: str) -> int:
    total, part = 0, 0
    for word in re.split("[ -]", words):
        if word in _SMALL:
            part += _SMALL[word]
        elif word in ("dozen", "hundred"):
            part = max(part, 1) * _SCALES[word]
        elif word in _SCALES:
            total, part = total + max(part, 1) * _SCALES[word], 0
    return total + part
