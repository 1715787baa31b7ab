"""What may be shown or written down: text without secrets, and errors as one line."""

import os
import re

URL_PASSWORD = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]+@")
SECRET_WORDS = ("TOKEN", "KEY", "SECRET", "PASSWORD")


def redact(text: str) -> str:
    """`text` with the value of every secret environment variable (HF_TOKEN, KAGGLE_KEY, ...) and the password of every
    URL taken out."""
    for name in secrets_in(text):
        text = text.replace(os.environ[name], f"[{name}]")
    return URL_PASSWORD.sub(r"\1:***@", text)


def secrets_in(text: str) -> list[str]:
    """The names of the secret environment variables whose value is in `text`."""
    secret = {name: value for name, value in os.environ.items() if any(word in name.upper() for word in SECRET_WORDS)}
    return [name for name, value in secret.items() if len(value) >= 8 and value in text]


def one_line(error: BaseException | str, limit: int | None = None) -> str:
    """The message of an error, or a text, redacted and on one line of at most `limit` characters.

    An error without a message is shown by the name of its class.
    """
    text = " ".join(redact(str(error)).split()) or type(error).__name__
    return text[:limit]


def named_line(error: BaseException, limit: int | None = None) -> str:
    """`one_line` behind the name of the error's class: `ValueError: ...`."""
    return one_line(f"{type(error).__name__}: {error}", limit)
