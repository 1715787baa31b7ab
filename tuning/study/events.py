"""What happens in a sweep, told to whoever listens: the tracker and the progress display."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from podium.core.records import Report
from tuning.study.trial import TrialView

Kind = Literal["started", "reported", "mutated", "finished"]


@dataclass(frozen=True)
class Event:
    """`trial` is as it stands after the event; `report` is the one that brought it, where there is one."""

    kind: Kind
    trial: TrialView
    report: Report | None = None


Listener = Callable[[Event], None]
