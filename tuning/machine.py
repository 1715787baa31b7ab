"""How many workers a machine or cluster can hold, and what each of them gets. Nothing here starts JAX."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from podium.core.config import RunConfig
from podium.core.errors import UsageError


@dataclass(frozen=True)
class DeviceGroup:
    """What one worker holds: `cores` of this machine, or a share of Ray's resources."""

    cores: tuple[int, ...] | None = None
    options: dict[str, float] = field(default_factory=dict)  # of the Ray actor


def cores_here() -> list[int]:
    """The cores that this process may use: a container may have been given fewer than the machine has."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def accelerators_here() -> int:
    """GPUs and TPU chips of this machine by their device files: asking JAX would take hold of them."""
    patterns = ("nvidia[0-9]*", "accel[0-9]*", "vfio/[0-9]*")
    return sum(len(list(Path("/dev").glob(pattern))) for pattern in patterns)


def device_groups(config: RunConfig, workers: int | str, trials: int, resources: dict[str, float]) -> list[DeviceGroup]:
    """One group a worker: a GPU or a TPU chip each where there are some and the config wants them, else cores.

    `workers` is a number or "auto", which is one for each GPU, chip or core, and never more than there are trials.

    Raises:
        UsageError: an accelerator is asked for that `resources` (Ray's) does not have, or more workers than devices.
    """
    kind = config.device.kind
    for name, resource in (("gpu", "GPU"), ("tpu", "TPU")):
        n_devices = int(resources.get(resource, 0))
        if kind == name and not n_devices:
            raise UsageError(f"device.kind={kind!r}, but Ray found no {resource} here; use auto or cpu")
        if kind in (name, "auto") and n_devices:
            option = {"num_gpus": 1.0} if name == "gpu" else {"TPU": 1.0}
            return [DeviceGroup(options=option)] * _n_workers(workers, trials, n_devices, resource)
    cores = cores_here()
    n_workers = _n_workers(workers, trials, len(cores), "core")
    share = len(cores) // n_workers
    return [DeviceGroup(cores=tuple(cores[i * share : (i + 1) * share])) for i in range(n_workers)]


def _n_workers(workers: int | str, trials: int, devices: int, what: str) -> int:
    if isinstance(workers, int):
        if workers > devices:
            raise UsageError(f"workers={workers}, but there are {devices} {what}s; ask for {devices} or fewer")
        return workers
    return max(1, min(devices, trials))
