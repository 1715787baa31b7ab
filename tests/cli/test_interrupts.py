import os
import signal
import subprocess
import sys

import pytest

from podium.cli.interrupts import NAMES, catch_interrupts


@pytest.mark.parametrize(
    ("number", "exit_code", "name"),
    [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM"), (signal.SIGHUP, 129, "SIGHUP")],
)
def test_a_signal_is_noted_and_the_handlers_come_back(number: signal.Signals, exit_code: int, name: str) -> None:
    before = signal.getsignal(number)
    with catch_interrupts() as caught:
        assert not caught.requested() and caught.exit_code == 0
        signal.raise_signal(number)
        assert caught.requested()
        assert (caught.exit_code, caught.name) == (exit_code, name)
    assert signal.getsignal(number) is before


def test_a_signal_that_is_ignored_stays_so() -> None:
    """`nohup` ignores SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with catch_interrupts() as caught:
            signal.raise_signal(signal.SIGHUP)
            assert not caught.requested()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("signals", "ended_by"),
    [
        ((signal.SIGINT, signal.SIGINT), signal.SIGINT),
        ((signal.SIGTERM, signal.SIGTERM), signal.SIGTERM),
        ((signal.SIGHUP, signal.SIGHUP, signal.SIGHUP, signal.SIGTERM), signal.SIGTERM),
    ],
)
def test_a_second_signal_quits_at_once_unless_a_closing_terminal_sent_it(signals, ended_by) -> None:
    asked = (
        "import os, threading\n"
        "from podium.cli.interrupts import catch_interrupts\n"
        "with catch_interrupts():\n"
        f"    for number in {tuple(map(int, signals))}:\n"
        "        print('still here', flush=True)\n"
        "        os.kill(os.getpid(), number)\n"
        "    threading.Event().wait()\n"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True)
    assert done.returncode == 128 + ended_by
    assert done.stderr.startswith(f"{NAMES[ended_by]}: asked twice, stopped at once; pass --resume")
    assert done.stdout.count("still here") == len(signals)


def test_without_a_signal_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGINT)
    with catch_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("waiting", "message"),
    [
        ("catch_interrupts(grace_s=0.01)", "no step ended within 0.01 s, stopped at once; pass --resume to continue"),
        ("end_at_once('nothing was written')", "nothing was written"),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_does_not_come_to_its_end_is_ended(number: signal.Signals, waiting: str, message: str) -> None:
    stuck = (
        "import threading\n"
        "from podium.cli.interrupts import catch_interrupts, end_at_once\n"
        f"with {waiting}:\n"
        "    print('ready', flush=True)\n"
        "    threading.Event().wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", stuck], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        _, errors = child.communicate()
    assert child.returncode == 128 + number
    assert errors.startswith(f"{NAMES[number]}: {message}")
    assert errors.count("\n") == 1


def test_who_comes_to_the_end_in_time_is_left_alone() -> None:
    before = signal.set_wakeup_fd(-1)
    with catch_interrupts(grace_s=60) as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.requested() and interrupts.exit_code == 143
    with catch_interrupts(grace_s=60) as interrupts:
        assert not interrupts.requested()
    assert signal.set_wakeup_fd(before) == before
