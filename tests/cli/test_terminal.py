"""What reaches the terminal and the log holds no character that a terminal would obey."""

import io
import os
import pty
import subprocess
import sys

import pytest
from rich.table import Table

from podium.cli import main as cli
from podium.cli import terminal
from podium.cli.tables import print_table
from podium.core.errors import UsageError
from podium.core.redaction import CONTROL
from podium.submission.output_log import recorded

TITLE = "\x1b]0;pwned\x07\x9b31m\u202e\ud800 ü日\r\x00"
SHOWN = r"\x1b]0;pwned\x07\x9b31m\u202e\ud800 ü日"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_what_a_command_prints_is_printable(monkeypatch, capsys):
    def command(*_, **__):
        print(TITLE)
        cli.typer.echo(TITLE)
        cli.typer.echo(TITLE, err=True)
        raise UsageError(f"cannot read {TITLE}")

    monkeypatch.setattr(cli, "app", command)
    with pytest.raises(SystemExit):
        cli.main([])
    out, err = capsys.readouterr()
    assert not CONTROL.search(out) and out.count(SHOWN) == 2
    assert not CONTROL.search(err) and err.count(SHOWN) == 2


def test_debug_prints_a_traceback_that_is_printable(monkeypatch, capsys):
    def command(*_, **__):
        raise RuntimeError(TITLE)

    monkeypatch.setattr(cli, "app", command)
    with pytest.raises(SystemExit):
        cli.main(["--debug"])
    err = capsys.readouterr().err
    assert "Traceback" in err and not CONTROL.search(err)


def test_a_table_on_a_terminal_has_its_own_colours_only(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    table = Table("run", header_style="bold")
    table.add_row(TITLE.replace("\ud800", ""))
    with terminal.safe_output():
        terminal.console().print(table)
        print("\x1b[31mred")
    written = screen.getvalue()
    assert "\x1b[1m" in written  # the heading
    assert r"\x1b]0;pwned" in written.replace("\n", "") and "\x1b]" not in written and "\x07" not in written
    assert written.endswith("\\x1b[31mred\n")


def test_progress_bars_of_libraries_may_move_on_a_terminal(monkeypatch):
    screen, log = Terminal(), io.StringIO()
    for stream in (screen, log):
        monkeypatch.setattr(sys, "stderr", stream)
        with terminal.safe_output():
            print("\r 10%\x1b[A\x1b[2J", end="", file=sys.stderr)
    assert screen.getvalue() == "\r 10%\x1b[A\\x1b[2J"
    assert log.getvalue() == "\n 10%\\x1b[A\\x1b[2J"


def test_long_lines_break_between_words_on_a_terminal_alone(monkeypatch):
    prose, command = "early stopping saved 90 of 480 steps", "resume with: podium sweep --resume a-study"
    monkeypatch.setenv("COLUMNS", "20")
    screen, log = Terminal(), io.StringIO()
    for stream in (screen, log):
        monkeypatch.setattr(sys, "stdout", stream)
        with terminal.safe_output():
            print(f"  {prose}")
            cli.typer.echo(command)
            print("x" * 30)
    assert log.getvalue().splitlines() == [f"  {prose}", command, "x" * 30]
    assert screen.getvalue().splitlines() == [
        *("  early stopping", "    saved 90 of 480", "    steps", command, "x" * 30)
    ]


def test_a_table_wider_than_the_terminal_keeps_every_word(monkeypatch):
    rows = [("first", 12, "7 complete, 5 pruned", "dev/answer_correctness")]
    wide, narrow, log = Terminal(), Terminal(), io.StringIO()
    for stream, columns in ((wide, "80"), (narrow, "44"), (log, "44")):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("COLUMNS", columns)
        with terminal.safe_output():
            print_table(("study", "trials", "states", "metric"), rows)
    assert wide.getvalue() == log.getvalue() and len(log.getvalue().splitlines()) == 2
    assert max(map(len, narrow.getvalue().splitlines())) <= 44
    squeezed = "".join(narrow.getvalue().split())
    assert all(word in squeezed for word in ("first", "12", "complete,", "metric")) and "…" not in squeezed


def test_what_the_encoding_lacks_is_escaped(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    with terminal.safe_output():
        print("ü日")
        sys.stdout.flush()
    assert raw.getvalue() == b"\\xfc\\u65e5\n"


def test_the_log_of_a_submission_is_printable(tmp_path, capsys):
    with pytest.raises(ValueError, match="x"), recorded(tmp_path / "log.txt"):
        print(TITLE)
        raise ValueError(f"x {TITLE}")
    assert not CONTROL.search((tmp_path / "log.txt").read_text())
    assert not CONTROL.search(capsys.readouterr().out)


def test_on_a_real_terminal(tmp_path):
    """Help, in a pseudo-terminal: the stream behaves like the one that it stands for."""
    master, slave = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "podium.cli.main", "--version"], stdout=slave, stderr=slave, cwd=tmp_path
    )
    os.close(slave)
    assert done.returncode == 0 and b"podium 0." in os.read(master, 1000)
    os.close(master)
