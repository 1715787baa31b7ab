"""What a process is doing now, for whoever shows it: `doing` tells, `heard_by` listens. By default nobody does."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Activity:
    """Work that takes a while. `total` is None if its size is not known; `left_s`: the time it had at its start."""

    what: str
    done: int = 0
    total: int | None = None
    left_s: float = math.inf


Listener = Callable[[Activity | None], None]  # gets the innermost activity, and None once there is none
Advance = Callable[[int], None]  # gets how much is done

_lock = threading.RLock()
_activities: list[Activity] = []
_listeners: list[Listener] = []


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Tell `listener`, and no other, what is being done in this process until the context ends."""
    with _lock:
        _listeners.append(listener)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(listener)


@contextmanager
def doing(what: str, done: int = 0, total: int | None = None, left_s: float = math.inf) -> Iterator[Advance]:
    """Tell what is being done until the context ends; the value in it tells how far it is."""
    activity = Activity(what, done, total, left_s)

    def advance(done: int) -> None:
        nonlocal activity
        with _lock:
            place = next(place for place, each in enumerate(_activities) if each is activity)
            activity = replace(activity, done=done)
            _activities[place] = activity
            _tell()

    with _lock:
        _activities.append(activity)
        _tell()
    try:
        yield advance
    finally:
        with _lock:
            _activities[:] = [each for each in _activities if each is not activity]
            _tell()


def _tell() -> None:
    if _listeners:
        _listeners[-1](_activities[-1] if _activities else None)
