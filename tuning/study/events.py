"""Events of a sweep, for its listeners: the tracker, the progress display, a notebook."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from podium.core.records import Report
from tuning.study.trial import TrialView

Kind = Literal["started", "reported", "mutated", "finished"]


@dataclass(frozen=True)
class Event:
    """`trial` is the state after the event; `report` is the worker's report that caused it, if one did."""

    kind: Kind
    trial: TrialView
    report: Report | None = None


Listener = Callable[[Event], None]
