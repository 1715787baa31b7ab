"""Where the trials of a sweep run: in this process, or on Ray, with the same searcher, scheduler and workers."""

import os
import sys

from podium.core import settings
from podium.core.errors import UsageError
from tuning.backends.base import Backend
from tuning.search.space import SearchSpace
from tuning.workers.resources import accelerators_here, cores_here

BACKENDS = ("auto", "ray", "inline")


def make_backend(name: str | None, space: SearchSpace, n_trials: int, address: str | None = None) -> Backend:
    """The backend of that name, or of the setting `backend`. `address` is that of the Ray cluster to join.

    Raises:
        UsageError: unknown backend, an address with a backend that is not Ray, or missing devices.
        PodiumError: Ray did not start or answer.
    """
    name = name or settings.get("backend") or "auto"
    if name not in BACKENDS:
        raise UsageError(f"backend {name!r}, must be one of {', '.join(BACKENDS)}")
    if name == "auto":
        name = choose(space.workers.count, n_trials, bool(address) or _ray_runs())
    if name == "inline":
        if address:
            raise UsageError(
                f"--address {address} and --backend inline are both given; use --backend ray to run on a cluster"
            )
        from tuning.backends.inline import InlineBackend

        return InlineBackend()
    from tuning.backends.ray_tune import RayBackend

    return RayBackend(space, n_trials, address)


def choose(workers: int | str, n_trials: int, ray_runs: bool) -> str:
    """The backend that `auto` stands for: Ray if it is running, or if the sweep is long enough to repay its start.

    Starting Ray takes about 10 seconds, for its processes and an import of JAX in each worker. That does
    not pay with one worker, or with at most two trials per worker.
    """
    if ray_runs:
        return "ray"
    n_workers = workers if isinstance(workers, int) else accelerators_here() or len(cores_here())
    return "inline" if n_workers == 1 or n_trials <= 2 * n_workers else "ray"


def _ray_runs() -> bool:
    ray = sys.modules.get("ray")
    return bool(os.environ.get("RAY_ADDRESS") or (ray and ray.is_initialized()))
