"""kaggle_output_log.txt: everything that a submission run prints, without secrets and home folders."""

import contextlib
import io
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from podium.core.private_paths import without_private_paths
from podium.core.redaction import redact


@contextlib.contextmanager
def recorded(path: Path, resumed: bool = False) -> Iterator[None]:
    """Copy every line of stdout and stderr to `path`, to its end if `resumed`.

    Secrets and home folders are redacted in all three.
    """
    torn = resumed and path.is_file() and not path.read_bytes().endswith(b"\n")
    with path.open("a" if resumed else "w", encoding="utf-8") as file:
        file.write("\n" * torn)
        out, err = _Tee(sys.stdout, file), _Tee(sys.stderr, file)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                yield
            except BaseException:
                # The log gets the traceback; the terminal gets one line.
                file.write(_safe(traceback.format_exc()))
                raise
            finally:
                out.end()
                err.end()


class _Tee(io.TextIOBase):
    """A stream that passes on whole lines, because a secret can be split over two writes.

    It does not report itself as a terminal, so libraries draw no progress bars over the lines.
    """

    def __init__(self, stream: TextIO, file: TextIO) -> None:
        self._stream, self._file = stream, file
        self._line = ""
        self._ended = False

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._pass_on(line)
        return len(text)

    def end(self) -> None:
        """Stop recording. Later writes still reach the stream, because a library may keep it for its own logging."""
        if self._line:
            self.write("\n")
        self._ended = True

    def _pass_on(self, line: str) -> None:
        for stream in (self._stream,) if self._ended else (self._stream, self._file):
            stream.write(_safe(line) + "\n")
            stream.flush()


def _safe(text: str) -> str:
    return without_private_paths(redact(text))
