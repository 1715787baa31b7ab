"""The only way from Podium to the terminal: text without what a terminal would obey instead of showing it.

Text from files, models and programs is printed in many places. An escape sequence in it could set the window's title,
hide what follows, or overwrite what was printed before.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from podium.cli.status import LongWork, StatusLine
from podium.core.progress import heard_by
from podium.core.redaction import printable

if TYPE_CHECKING:
    from rich.console import Console

COMMANDS = ("podium ", "kaggle datasets ", "kaggle kernels ")  # as a user types them
_QUOTED = re.compile("`[^`]*`")
_NO_BREAK = "\x00"  # stands for a space where a line must not break; what is printed has none of its own
# Progress bars of libraries, such as those of downloads, go back to the start of the line, or a line up.
_MOVES = re.compile("(\r|\x1b\\[A)")


class SafeStream(io.TextIOBase):
    """Passes text on to a stream, printable, and with escapes for what the stream's encoding does not have."""

    def __init__(
        self, stream: TextIO, moves: bool = False, wraps: bool = False, status: StatusLine | None = None
    ) -> None:
        """`moves`: progress bars may move the cursor. `wraps`: long lines break between words. `status`: the line below
        what is printed."""
        self.stream, self._status = stream, status
        self._moves, self._wraps = moves, wraps

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self.stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        if self._moves:
            parts = _MOVES.split(text)
            shown = "".join(part if number % 2 else printable(part) for number, part in enumerate(parts))
        else:
            shown = printable(text.replace("\r\n", "\n").replace("\r", "\n"))
        if self._wraps:
            shown = "\n".join(map(_wrapped, shown.split("\n")))
        shown = shown.encode(self.encoding, "backslashreplace").decode(self.encoding)
        if self._status:
            self._status.printing(shown, lambda: self.stream.write(shown))
        else:
            self.stream.write(shown)
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()


def _wrapped(line: str) -> str:
    """A line in several of the terminal's width, the later ones indented.

    A command stays on one line, so that it can be copied: what is in backticks, and a line with a bare command.
    """
    width = shutil.get_terminal_size().columns
    whole = _QUOTED.sub(lambda found: found[0].replace(" ", _NO_BREAK), line)
    if len(line) <= width or any(command in whole for command in COMMANDS) or "\r" in line:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    lines = textwrap.wrap(whole, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(_NO_BREAK, " ")


@contextlib.contextmanager
def safe_output() -> Iterator[None]:
    """Make sys.stdout and sys.stderr safe until the context ends, and show what is being done."""
    on_terminal = sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    status = StatusLine(sys.stdout) if on_terminal else None
    out = SafeStream(sys.stdout, wraps=sys.stdout.isatty(), status=status)
    err = SafeStream(sys.stderr, moves=sys.stderr.isatty(), wraps=sys.stderr.isatty(), status=status)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with heard_by(status.hear if status else LongWork().hear):
                yield
        finally:
            if status:
                status.end()


def columns() -> int | None:
    """The width of the terminal; None if there is none, where lines are not to be broken."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def console() -> Console:
    """A console of rich on sys.stdout, which writes its own colours and moves, and all text printable."""
    from rich.console import Console
    from rich.segment import Segment

    class SafeConsole(Console):
        def _render_buffer(self, buffer):  # type: ignore[no-untyped-def]
            return super()._render_buffer(
                segment if segment.control else Segment(printable(segment.text), segment.style) for segment in buffer
            )

    return SafeConsole(file=getattr(sys.stdout, "stream", sys.stdout))
