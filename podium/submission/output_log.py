"""kaggle_output_log.txt: everything that a submission run prints, less its secrets."""

import contextlib
import io
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from podium.core.redaction import redact


@contextlib.contextmanager
def recorded(path: Path) -> Iterator[None]:
    """Whatever goes to stdout and stderr, line by line, goes to `path` as well; secrets are taken out of both."""
    with path.open("w", encoding="utf-8") as file:
        out, err = _Tee(sys.stdout, file), _Tee(sys.stderr, file)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                yield
            except BaseException:
                # For whoever looks into it later; the terminal gets one line.
                file.write(redact(traceback.format_exc()))
                raise
            finally:
                out.end()
                err.end()


class _Tee(io.TextIOBase):
    """Passes on whole lines, since a secret may come in two writes; no terminal, so that nothing draws over lines."""

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
        """Stop recording. A library may keep the stream for its own logging, so what comes later is still passed on."""
        if self._line:
            self.write("\n")
        self._ended = True

    def _pass_on(self, line: str) -> None:
        for stream in (self._stream,) if self._ended else (self._stream, self._file):
            stream.write(redact(line) + "\n")
            stream.flush()
