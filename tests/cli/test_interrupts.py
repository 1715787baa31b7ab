import signal

import pytest

from podium.cli.interrupts import catch_interrupts


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
