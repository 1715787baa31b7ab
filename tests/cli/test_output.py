"""Output that nobody reads any more: a pipe whose reader has ended, a terminal that was closed."""

import os
import pty
import signal
import subprocess
import sys

import pytest

from podium.cli.output import tolerate_closed_output
from podium.core.states import State
from tests.cli.test_sweep import ANALYTIC, CODE
from tests.console import ROOT
from tests.tuning import killing
from tests.tuning.workers.test_worker import write_data
from tuning.study.locks import driver_of
from tuning.study.study import load_study

PRINTS = """
import sys
from podium.cli.output import tolerate_closed_output
with tolerate_closed_output():
    for _ in range(10_000):
        print("a line that nobody reads")
    sys.exit(7)
"""


def test_a_closed_pipe_changes_nothing():
    child = subprocess.Popen([sys.executable, "-c", PRINTS], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()
    assert (child.wait(), child.stderr.read()) == (7, b"")


def test_a_full_disk_is_still_an_error(monkeypatch):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OSError, match="No space left"), tolerate_closed_output():
            print("lost", flush=True)
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space left"):
            full.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())  # for its own flush at the end


@pytest.mark.parametrize(
    ("backend", "code"),
    [
        ("inline", ANALYTIC + CODE),
        pytest.param("ray", ANALYTIC + CODE, marks=pytest.mark.slow),
        pytest.param("ray", CODE, marks=pytest.mark.slow, id="ray, training"),
    ],
)
@pytest.mark.usefixtures("store")
def test_a_sweep_whose_terminal_is_closed_ends_in_order(home, backend, code):
    """The kernel sends SIGHUP to all processes of the terminal, and every write to it fails."""
    write_data(home)
    arguments = ["sweep", "space.yaml", "--backend", backend, "--trials", "100000", "--name", "sums"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["PYTHONPATH"] = str(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", code, *arguments])
    shown = b""
    while b"pruned" not in shown and b"complete" not in shown:
        shown += os.read(terminal, 65536)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    study = load_study("sums")
    assert study.summary["stopped"] == "interrupted"
    assert State.RUNNING not in {trial.state for trial in study.trials}
    assert driver_of(study.dir) is None
    assert killing.wait_until(lambda: not killing.processes_of(home), within_s=30), killing.processes_of(home)
