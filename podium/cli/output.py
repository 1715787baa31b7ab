"""Standard output and standard error that may go away: a terminal is closed, or the reader of a pipe ends."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast


@contextmanager
def tolerate_closed_output() -> Iterator[None]:
    """Drop what is written to a closed terminal or pipe, so that the command continues to its end.

    Other errors, like that of a full disk, are raised.
    """
    before = sys.stdout, sys.stderr
    tolerant = [_Tolerant(stream) for stream in before]
    sys.stdout, sys.stderr = (cast("TextIO", stream) for stream in tolerant)
    try:
        yield
    finally:
        for stream in tolerant:
            stream.flush()
        sys.stdout, sys.stderr = before


class _Tolerant:
    """A text stream that becomes /dev/null once its terminal or pipe is closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._closed_errors = (errno.EPIPE, errno.EIO) if stream.isatty() else (errno.EPIPE,)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._drop_if_closed(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._drop_if_closed(error)

    def _drop_if_closed(self, error: OSError) -> None:
        if error.errno not in self._closed_errors:
            raise error
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())  # for what is buffered, too, which Python flushes at its end
        os.close(null)
        with suppress(OSError):
            self._stream.flush()
