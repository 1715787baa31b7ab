"""What is being done: told once, and shown by a line at the bottom of the terminal, or by a line for long work."""

import io
import os
import pty
import subprocess
import sys

import pytest

from podium.cli.status import ERASE, LongWork, StatusLine
from podium.cli.terminal import SafeStream
from podium.core.clock import FakeClock
from podium.core.progress import Activity, doing, heard_by


def test_the_innermost_activity_is_told():
    heard = []
    with heard_by(heard.append), doing("training", 0, 3) as advance:
        advance(1)
        with pytest.raises(ValueError, match="x"), doing("compiling"):
            raise ValueError("x")
    with doing("unheard"):
        pass
    training = [Activity("training", done, 3) for done in (0, 1)]
    assert heard == [*training, Activity("compiling"), training[1], None]


@pytest.fixture
def status(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    clock = FakeClock()
    line = StatusLine(io.StringIO(), clock)
    line._ticker = object()  # the test draws itself
    return line, clock


def drawn(line: StatusLine) -> str:
    terminal = line._terminal
    terminal.seek(0)
    terminal.truncate()
    line.draw()
    return terminal.getvalue().removeprefix(ERASE)


def test_the_line_has_the_time_left(status):
    line, clock = status
    line.hear(Activity("training", 0, 100, left_s=600.0))
    assert drawn(line) == ""  # too short to be shown
    line.hear(Activity("compiling train (1x16x50)"))
    clock.advance(20)
    assert drawn(line) == "compiling train (1x16x50), 20.0 s"
    line.hear(Activity("training", 10, 100, left_s=600.0))
    clock.advance(10)
    assert drawn(line) == "training 10/100, 30.0 s; 9m 30s of the budget"
    line.hear(Activity("training", 30, 100, left_s=600.0))  # 20 steps in 10 s, without what was compiled before
    assert drawn(line) == "training 30/100, 30.0 s, about 35.0 s left; 9m 30s of the budget"
    line.hear(None)
    assert drawn(line) == ""


def test_the_line_makes_way_for_what_is_printed(status, monkeypatch):
    line, clock = status
    out = SafeStream(line._terminal, status=line)
    line.hear(Activity("loading \x1b]0;x\x07"))
    clock.advance(1)
    line.draw()
    out.write("step 1")
    out.write("\n")
    assert line._terminal.getvalue() == ERASE + "loading \\x1b]0;x\\x07, 1.0 s" + ERASE + "step 1\n"
    out.write("Model: ")
    assert drawn(line) == ""  # not over a line that has begun
    out.write("\n")
    monkeypatch.setenv("COLUMNS", "10")
    assert drawn(line) == "loading \\"


def test_long_work_is_said_without_a_terminal(capsys):
    clock = FakeClock()
    long = LongWork(clock)
    for seconds, what in ((2.0, "compiling init"), (12.5, "compiling train"), (60.0, None)):
        long.hear(Activity(what) if what else None)
        clock.advance(seconds)
    long.hear(Activity("training", 0, 10))
    clock.advance(99)
    long.hear(None)
    assert capsys.readouterr().err == "compiling train took 12.5 s\n"


SCRIPT = """
import threading
from podium.cli.terminal import safe_output
from podium.core.progress import doing
with safe_output(), doing("working"):
    print("begin")
    {wait}
    print("end")
"""
SHOWN = "import sys; out = sys.stdout\n    while not out._status._drawn: threading.Event().wait(0.01)"


def test_on_a_real_terminal_and_on_none():
    main, terminal = pty.openpty()
    for term, wait in (("xterm", SHOWN), ("dumb", "pass")):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(wait=wait)],
            stdout=terminal,
            stderr=terminal,
            env=os.environ | {"TERM": term},
        )
        assert done.returncode == 0
    os.close(terminal)
    shown = os.read(main, 10_000).decode().replace("\r\n", "\n")
    os.close(main)
    first, _, second = shown.partition("end\n")
    assert first.startswith("begin\n\r\x1b[Kworking, ") and first.endswith(ERASE)
    assert second == "begin\nend\n"
    quiet = subprocess.run([sys.executable, "-c", SCRIPT.format(wait="pass")], capture_output=True, text=True)
    assert (quiet.stdout, quiet.stderr) == ("begin\nend\n", "")
