"""JSON as Podium reads it, from files, models and programs alike."""

import json
from typing import Any

from podium.core.plain_values import (
    MOST_LEVELS,
    TOO_DEEP,
    Unreadable,
    finite,
    no_number,
    refuse_depth,
    refuse_half_characters,
    whole_number,
    without_repeats,
)

_DECODER = json.JSONDecoder(
    object_pairs_hook=without_repeats, parse_int=whole_number, parse_float=finite, parse_constant=no_number
)


def parse_json(text: str) -> Any:
    """The value of a JSON text; a byte order mark before it is skipped.

    Raises:
        Unreadable: it is not JSON, gives a key twice, or holds a value beyond the limits of `plain_values`.
    """
    try:
        value = _DECODER.decode(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON ({error.msg})", error.lineno) from None
    except Unreadable as error:
        raise Unreadable(f"not readable as JSON ({error})") from None
    except RecursionError:
        raise Unreadable(f"not readable as JSON ({TOO_DEEP})") from None
    try:
        if text.count("[") + text.count("{") > MOST_LEVELS:
            refuse_depth(value)
        if "\\ud" in text or "\\uD" in text:
            refuse_half_characters(value)
    except Unreadable as error:
        raise Unreadable(f"not readable as JSON ({error})") from None
    return value
