"""docs/mlflow.md shows what `podium ui` prints."""

import shlex
import signal
import subprocess
import sys

import pytest

from tests.console import ROOT, commands, missing_lines


@pytest.mark.slow
def test_the_pages_open_as_shown(run_sweep, free_port):
    (shown,) = commands(ROOT / "docs/mlflow.md")
    run_sweep({"trials": 2}, name="view")
    program, *arguments = shlex.split(shown.line)
    assert program == "podium"
    command = [sys.executable, "-m", "podium.cli.main", *arguments, "--port", str(free_port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        printed = "".join(server.stdout.readline() for _ in shown.output)
        assert missing_lines(shown, printed) == []
        assert f"http://127.0.0.1:{free_port}/" in printed
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate()
    assert server.returncode == 130
