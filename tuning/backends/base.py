"""The contract of a backend: it runs the trials of a sweep and returns how its time was spent."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tuning.search.space import SearchSpace
from tuning.workers.worker import WorkerKind

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

    from tuning.bridge.rounds import RoundsBridge
    from tuning.bridge.searcher import OptunaBridge


@dataclass(frozen=True)
class Sweep:
    """What a backend needs to run a sweep."""

    folder: Path
    space: SearchSpace
    bridge: "OptunaBridge | RoundsBridge"
    scheduler: "TrialScheduler"
    make_worker: WorkerKind


@dataclass(frozen=True)
class Usage:
    """How a backend spent its time, from the start of the first trial to the last report."""

    span_s: float
    workers: list[Mapping[str, Any]]  # for each worker: busy_s, and its `stats`

    @property
    def busy_share(self) -> float | None:
        """The mean share of that time in which a worker was busy; None if nothing ran."""
        if not self.span_s or not self.workers:
            return None
        return float(sum(worker["busy_s"] for worker in self.workers)) / (self.span_s * len(self.workers))


class Backend(Protocol):
    """Constructed before the study, so that missing devices raise UsageError before anything is written."""

    name: str
    n_workers: int

    def run(self, sweep: Sweep) -> Usage: ...
    def close(self) -> None: ...


class NoBackend:
    """Used when every trial has ended but an interrupted sweep has not recorded that everywhere."""

    name = "none"
    n_workers = 0

    def run(self, sweep: Sweep) -> Usage:  # noqa: ARG002
        return Usage(0.0, [])

    def close(self) -> None:
        """Nothing to release."""
