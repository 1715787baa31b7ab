"""Make text safe to show and store: without secrets, and errors as one line."""

import os
import re

URL_PASSWORD = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]+@")
QUERY_PASSWORD = re.compile(r"([?&]password=)[^\s&'\"]+", re.IGNORECASE)
SECRET_WORDS = ("TOKEN", "KEY", "SECRET", "PASSWORD")


def redact(text: str) -> str:
    """`text` without the values of secret environment variables (HF_TOKEN, KAGGLE_KEY, ...) and passwords in URLs."""
    for name in secrets_in(text):
        text = text.replace(os.environ[name], f"[{name}]")
    return QUERY_PASSWORD.sub(r"\1***", URL_PASSWORD.sub(r"\1:***@", text))


def secrets_in(text: str) -> list[str]:
    """The names of the secret environment variables whose values are in `text`."""
    secret = {name: value for name, value in os.environ.items() if any(word in name.upper() for word in SECRET_WORDS)}
    return [name for name, value in secret.items() if len(value) >= 8 and value in text]


def one_line(error: BaseException | str, limit: int | None = None) -> str:
    """The message of an error, or a text, redacted and on one line of at most `limit` characters.

    If an error has no message, the name of its class is used.
    """
    text = " ".join(redact(str(error)).split()) or type(error).__name__
    return text[:limit]


def named_line(error: BaseException, limit: int | None = None) -> str:
    """Like `one_line`, with the name of the error's class in front: `ValueError: ...`."""
    return one_line(f"{type(error).__name__}: {error}", limit)
