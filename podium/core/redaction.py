"""Make text safe to show and store: without secrets and control characters, and errors as one line."""

import os
import re
from typing import Any

URL_PASSWORD = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]+@")
QUERY_PASSWORD = re.compile(r"([?&]password=)[^\s&'\"]+", re.IGNORECASE)
# What a terminal obeys instead of showing it: control characters except tab and line break, marks that reorder text,
# and halves of surrogate pairs, which no file can hold.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
SECRET_WORDS = ("TOKEN", "KEY", "SECRET", "PASSWORD")


def redact(text: str) -> str:
    """`text`, printable, without the values of secret environment variables (HF_TOKEN, ...) and passwords in URLs."""
    return printable(_without_secrets(text))


def _without_secrets(text: str) -> str:
    for name in secrets_in(text):
        text = text.replace(os.environ[name], f"[{name}]")
    return QUERY_PASSWORD.sub(r"\1***", URL_PASSWORD.sub(r"\1:***@", text))


def printable(text: str) -> str:
    """`text` with every character that a terminal would obey written as its escape, like \\x1b."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shown(value: Any, limit: int = 100) -> str:
    """The repr of a value for an error message; its middle is left out beyond `limit` characters."""
    return shortened(repr(value), limit)


def shortened(text: str, limit: int) -> str:
    """`text`, or its beginning and end, as they say where something is and what to do about it."""
    if len(text) <= limit:
        return text
    begin = (limit - 5) * 2 // 3
    return f"{text[:begin]} ... {text[begin + 5 - limit :]}"


def secrets_in(text: str) -> list[str]:
    """The names of the secret environment variables whose values are in `text`."""
    secret = {name: value for name, value in os.environ.items() if any(word in name.upper() for word in SECRET_WORDS)}
    return [name for name, value in secret.items() if len(value) >= 8 and value in text]


def one_line(error: BaseException | str, limit: int | None = None) -> str:
    """The message of an error, or a text, redacted and printable, on one line of at most `limit` characters.

    If an error has no message, the name of its class is used.
    """
    lines = (line.strip() for line in _without_secrets(str(error)).splitlines())
    text = " ".join(line for line in lines if line) or type(error).__name__
    return printable(text).replace("\t", "\\t")[:limit]


def named_line(error: BaseException, limit: int | None = None) -> str:
    """Like `one_line`, with the name of the error's class in front: `ValueError: ...`."""
    return one_line(f"{type(error).__name__}: {error}", limit)
