"""Parse and format durations such as `30m`, `1h30m`, `45s` and `600`."""

import re

from podium.core.errors import UsageError

_PARTS = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s?)?")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def parse_duration(text: str) -> float:
    """The seconds in `text`: hours, minutes, seconds in this order; a bare number means seconds. Raises UsageError."""
    match = _PARTS.fullmatch(text.strip().lower())
    seconds = sum(float(number) * _SECONDS[unit] for unit, number in match.groupdict("0").items()) if match else 0.0
    if seconds <= 0:
        raise UsageError(f"duration {text!r}: must be positive and written like 30m, 1h30m, 45s or 600 (seconds)")
    return seconds


def format_duration(seconds: float) -> str:
    """`1h 02m`, `3m 05s`, `4.2 s` or `20 ms`, for people; `parse_duration` does not read it."""
    if 0 < seconds < 0.1:
        return f"{1000 * seconds:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02d}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02d}m"
