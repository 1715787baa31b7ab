from podium.core.clock import Deadline, FakeClock, MonotonicClock


def test_deadline_keeps_its_reserve():
    clock = FakeClock()
    deadline = Deadline.after(100, reserve_s=20, clock=clock)
    clock.advance(79)
    assert deadline.remaining_s() == 1
    assert not deadline.expired()
    clock.advance(1)
    assert deadline.expired()
    assert deadline.elapsed_s() == 80


def test_no_budget_never_expires():
    clock = FakeClock()
    deadline = Deadline.after(None, clock=clock)
    clock.advance(1e9)
    assert deadline.remaining_s() == float("inf")
    assert not deadline.expired()


def test_ticking_clock_and_the_real_one():
    clock = FakeClock(tick_s=2)
    assert [clock.now(), clock.now()] == [2, 4]
    real = MonotonicClock()
    assert real.now() <= real.now()
