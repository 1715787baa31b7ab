"""Where a sweep's trials run: in this process, or on Ray. Both run the same searcher, scheduler and workers."""

import os
import sys

from podium.core.errors import UsageError
from tuning.backends.base import Backend
from tuning.search.space import SearchSpace
from tuning.workers.resources import accelerators_here, cores_here

BACKENDS = ("auto", "ray", "inline")


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
