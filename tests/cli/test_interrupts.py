import os
import signal
import subprocess
import sys

import pytest

from podium.cli.interrupts import NAMES, catch_interrupts


@pytest.mark.parametrize(
    ("number", "exit_code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")]
)
def test_a_signal_is_noted_and_the_handlers_come_back(number: signal.Signals, exit_code: int, name: str) -> None:
    before = signal.getsignal(number)
    with catch_interrupts() as caught:
        assert not caught.requested() and caught.exit_code == 0
        signal.raise_signal(number)
        assert caught.requested()
        assert (caught.exit_code, caught.name) == (exit_code, name)
        assert signal.getsignal(number) is before  # a second one ends the process
    assert signal.getsignal(number) is before


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
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
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
