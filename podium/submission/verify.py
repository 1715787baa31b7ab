"""Checks of locks, evidence and packages: no value is missing, and no hash has changed."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from podium.core.errors import UsageError

SHORT = 12  # hex digits of a hash that messages show

# `none` is not among them: it is a value of train.remat.
_PLACEHOLDERS = {"", "?", "...", "todo", "tbd", "tba", "fixme", "n/a", "null", "nan", "unknown", "placeholder"}
_TEMPLATE = re.compile(r"<[^<>]*>|\$?\{[^{}]*\}")


@dataclass(frozen=True)
class Difference:
    """A hash that differs from the recorded one."""

    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what} differs (expected {self.expected[:SHORT]}, found {self.found[:SHORT]})"


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[Difference]:
    """Every name whose hash differs or is on one side only, sorted by name."""
    names = sorted({*expected, *found})
    pairs = ((name, expected.get(name, "nothing"), found.get(name, "nothing")) for name in names)
    return [Difference(name, was, now) for name, was, now in pairs if was != now]


def refuse_gaps(value: Any, where: str) -> None:
    """Raises UsageError, naming the key, if `value` holds a null, a placeholder, an empty text, NaN or infinity."""
    for gap in gaps_in(value, where):
        raise UsageError(f"{gap}: evidence must hold no null, placeholder or NaN; supply the real value")


def gaps_in(value: Any, where: str) -> Iterator[str]:
    """Each null, placeholder, empty text, NaN and infinity in `value`, as `where.key=None`."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from gaps_in(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from gaps_in(item, f"{where}[{index}]")
    elif _is_gap(value):
        yield f"{where}={value!r}"


def without_nulls(value: Any) -> Any:
    """`value` without the null entries of its mappings: `refuse_gaps` accepts a missing key, but not a null."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_nulls(item) for item in value]
    return value


def _is_gap(value: Any) -> bool:
    if isinstance(value, str):
        text = value.strip().casefold()
        return text in _PLACEHOLDERS or _TEMPLATE.fullmatch(text) is not None
    return value is None or (isinstance(value, float) and not math.isfinite(value))
