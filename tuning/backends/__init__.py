"""Where a sweep's trials run: in this process, or on Ray. Both run the same searcher, scheduler and workers."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from podium.core.errors import UsageError
from tuning.machine import accelerators_here, cores_here
from tuning.space import SearchSpace
from tuning.worker import WorkerKind

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

    from tuning.searcher import OptunaBridge

BACKENDS = ("auto", "ray", "inline")


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


def make_backend(name: str, space: SearchSpace, n_trials: int, address: str | None = None) -> Backend:
    """The backend of that name; `address` is that of the Ray cluster to join.

    Raises:
        UsageError: no such backend, an address without Ray, or devices that are not there.
        PodiumError: Ray did not start or answer.
    """
    if name not in BACKENDS:
        raise UsageError(f"backend {name!r}, must be one of {', '.join(BACKENDS)}")
    if name == "auto":
        name = choose(space.workers.count, n_trials, bool(address) or _ray_runs())
    if name == "inline":
        if address:
            raise UsageError(f"--address {address} and --backend inline are both given; a cluster needs --backend ray")
        from tuning.backends.inline import InlineBackend

        return InlineBackend()
    from tuning.backends.ray_tune import RayBackend

    return RayBackend(space, n_trials, address)


def choose(workers: int | str, n_trials: int, ray_runs: bool) -> str:
    """What `auto` means: Ray where it runs already, and where starting it can pay for itself.

    It costs about 10 seconds to start, with its processes and an import of JAX in each worker, and gains nothing where
    there is one device to work on. With no more than two trials a worker there is too little to win that back.
    """
    if ray_runs:
        return "ray"
    n_workers = workers if isinstance(workers, int) else accelerators_here() or len(cores_here())
    return "inline" if n_workers == 1 or n_trials <= 2 * n_workers else "ray"


def _ray_runs() -> bool:
    ray = sys.modules.get("ray")
    return bool(os.environ.get("RAY_ADDRESS") or (ray and ray.is_initialized()))
