"""What a text from outside may hold: values that every part of Podium can show, store, hash and compare.

The limits are far above what a config, a model or a data set has, and far below what exhausts a stack or the memory.
"""

import json
import math
from collections import Counter
from typing import Any, NoReturn

MOST_LEVELS = 100  # of lists and mappings in one another
MOST_DIGITS = 300  # of a number; a float holds 308, and Python refuses to print more than 4,300
TOO_DEEP = f"nested more than {MOST_LEVELS} levels deep"


class Unreadable(ValueError):
    """A text that is not what it should be. The message is the reason; `line`, from 1, is where it is known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def whole_number(text: str) -> int:
    """Raises Unreadable for one that no float can hold."""
    if len(text) > MOST_DIGITS:
        raise Unreadable(f"a number of {len(text)} digits, must have {MOST_DIGITS} at most")
    return int(text)


def finite(text: str) -> float:
    """The float that `text` says. Raises Unreadable for one that is too large: NaN and infinity are no values."""
    number = float(text)
    if not math.isfinite(number):
        raise Unreadable(f"{text[:20]} is no finite number")
    return number


def no_number(text: str) -> NoReturn:
    raise Unreadable(f"{text} is no finite number")


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of the pairs. Raises Unreadable if a key is given twice, since one of its values would be lost."""
    values = dict(pairs)
    if len(values) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise Unreadable(repeated(counts.most_common(1)[0][0]))
    return values


def repeated(key: str) -> str:
    return f"the key {key[:60]!r} is given twice; keep one"


def refuse_half_characters(value: Any) -> None:
    """Raises Unreadable for a lone surrogate: half a character could be neither shown nor written."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise Unreadable("a text holds half of a surrogate pair, which is no character") from None


def refuse_depth(value: Any) -> None:
    """Raises Unreadable if lists and mappings are nested more than MOST_LEVELS deep."""
    level, inside = 0, [value]
    while inside:
        level += 1
        if level > MOST_LEVELS + 1:
            raise Unreadable(TOO_DEEP)
        holders = [one for one in inside if isinstance(one, list | dict)]
        inside = [part for one in holders for part in (one.values() if isinstance(one, dict) else one)]
