"""What every backend has: it runs a sweep's trials and says how its time was spent."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tuning.search.space import SearchSpace
from tuning.workers.worker import WorkerKind

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

    from tuning.bridge.searcher import OptunaBridge


@dataclass(frozen=True)
class Sweep:
    """What a backend runs."""

    folder: Path
    space: SearchSpace
    bridge: "OptunaBridge"
    scheduler: "TrialScheduler"
    make_worker: WorkerKind


@dataclass(frozen=True)
class Usage:
    """How a backend spent its time, from the first trial's start to the last report."""

    span_s: float
    workers: list[Mapping[str, Any]]  # busy_s, and what the worker says of itself

    @property
    def busy_share(self) -> float | None:
        """The share of that time that workers were busy, on average; None where nothing ran."""
        if not self.span_s or not self.workers:
            return None
        return float(sum(worker["busy_s"] for worker in self.workers)) / (self.span_s * len(self.workers))


class Backend(Protocol):
    """Made, and so checked, before a study is: it raises UsageError where the devices asked for are not there."""

    name: str
    n_workers: int

    def run(self, sweep: Sweep) -> Usage: ...
    def close(self) -> None: ...


class NoBackend:
    """For a study whose trials have all ended: the sweep before may have died before it had said so everywhere."""

    name = "none"
    n_workers = 0

    def run(self, sweep: Sweep) -> Usage:  # noqa: ARG002
        return Usage(0.0, [])

    def close(self) -> None:
        """Nothing to give back."""
