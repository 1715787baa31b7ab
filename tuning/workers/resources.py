"""How many workers a machine or cluster can hold, and which devices each one gets. Nothing here starts JAX or Ray."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podium.core.config import RunConfig
from podium.core.errors import UsageError
from tuning.search.worker_options import Workers

RESOURCES = {"gpu": "GPU", "tpu": "TPU", "cpu": "CPU"}  # device.kind -> name of the resource in Ray
WORDS = {"GPU": "GPU", "TPU": "TPU chip", "CPU": "core"}


@dataclass(frozen=True)
class Node:
    """A machine of the cluster, with its resources as Ray counts them."""

    id: str
    resources: Mapping[str, float]

    def count(self, resource: str) -> int:
        return int(self.resources.get(resource, 0))


@dataclass(frozen=True)
class DeviceGroup:
    """The devices of one worker: those numbered from `index * size` to before `(index + 1) * size` on a node."""

    node: str
    resource: str
    size: int
    index: int

    @property
    def cores(self) -> tuple[int, ...] | None:
        """Indices into the cores that a process may use on that node; None for a worker with an accelerator."""
        first = self.index * self.size
        return tuple(range(first, first + self.size)) if self.resource == "CPU" else None

    @property
    def ray_resources(self) -> dict[str, Any]:
        """What the worker's actor requests. Ray hides the other GPUs and TPU chips of the node from it."""
        return {
            "num_cpus": self.size if self.resource == "CPU" else 0,
            "num_gpus": self.size if self.resource == "GPU" else 0,
            "resources": {"TPU": self.size} if self.resource == "TPU" else {},
        }


@dataclass(frozen=True)
class Plan:
    """At most `limit` workers, each with `size` devices of one kind."""

    resource: str
    size: int
    limit: int

    def groups(self, nodes: Iterable[Node], taken: Sequence[DeviceGroup] = ()) -> list[DeviceGroup]:
        """Further device groups, up to the limit. Each is on the node with the most room beside the `taken` ones."""
        free = {node.id: self._free_indices(node, taken) for node in nodes}
        chosen: list[DeviceGroup] = []
        while len(taken) + len(chosen) < self.limit and any(free.values()):
            node = max(free, key=lambda node: len(free[node]))  # the first of equals
            chosen.append(DeviceGroup(node, self.resource, self.size, free[node].pop(0)))
        return chosen

    def _free_indices(self, node: Node, taken: Sequence[DeviceGroup]) -> list[int]:
        used = {group.index for group in taken if group.node == node.id}
        return [index for index in range(node.count(self.resource) // self.size) if index not in used]


def cores_here() -> list[int]:
    """The cores that this process may use: in a container they may be fewer than those of the machine."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def accelerators_here() -> int:
    """How many GPUs and TPU chips this machine has, by their device files: JAX would reserve them."""
    patterns = ("nvidia[0-9]*", "accel[0-9]*", "vfio/[0-9]*")
    return sum(len(list(Path("/dev").glob(pattern))) for pattern in patterns)


def plan(config: RunConfig, workers: Workers, trials: int, nodes: Sequence[Node]) -> Plan:
    """Workers with one GPU or `chips` TPU chips each, if there are any and the config allows them, else with cores.

    Raises:
        UsageError: no node has the accelerator that the config names, or there are too few devices for the workers.
    """
    resource = _resource(config.device.kind, nodes)
    if workers.chips > 1 and resource != "TPU":
        raise UsageError(
            f"workers.chips={workers.chips}, but the workers get {WORDS[resource]}s; leave it out, it is for TPU chips"
        )
    if workers.cores and resource != "CPU":
        raise UsageError(
            f"workers.cores={workers.cores}, but the workers get {WORDS[resource]}s; leave it out, it is for the CPU"
        )
    counts = [node.count(resource) for node in nodes]
    size = workers.chips if resource == "TPU" else workers.cores or 1
    room = sum(n // size for n in counts)
    n_workers = workers.count if isinstance(workers.count, int) else max(1, min(room, trials))
    if n_workers > room:
        raise UsageError(_too_many(n_workers, size, WORDS[resource], counts, room))
    if resource == "CPU" and workers.cores is None:
        size = _share(counts, n_workers)
    return Plan(resource, size, n_workers if isinstance(workers.count, int) else max(1, trials))


def _resource(kind: str, nodes: Sequence[Node]) -> str:
    for name in ("gpu", "tpu"):
        resource = RESOURCES[name]
        found = any(node.count(resource) for node in nodes)
        if kind == name and not found:
            raise UsageError(f"device.kind={kind!r}, but Ray found no {resource} here; use auto or cpu")
        if kind in (name, "auto") and found:
            return resource
    return "CPU"


def _share(cores: Sequence[int], n_workers: int) -> int:
    """The largest number of cores that each of the workers can have."""
    size = max(1, sum(cores) // n_workers)
    while size > 1 and sum(n // size for n in cores) < n_workers:
        size -= 1
    return size


def _too_many(n_workers: int, size: int, word: str, counts: Sequence[int], room: int) -> str:
    asked = f"workers={n_workers}" + (f" of {size} {word}s each" if size > 1 else "")
    there = f"{sum(counts)} {word}s" + (f" on {len(counts)} machines" if len(counts) > 1 else "")
    advice = f"ask for {room} or fewer" if room else "give each fewer"
    return f"{asked}, but there are {there}; {advice}"
