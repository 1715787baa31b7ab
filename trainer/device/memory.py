"""The memory of a device, and the memory that arrays need on it, in bytes."""

import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from podium.core.config import RunConfig
from trainer.device.machine import memory_bytes

GB = 1e9
MEMINFO = Path("/proc/meminfo")  # Linux
Tree = Any


def device_bytes(config: RunConfig) -> int | None:
    """The memory of each device: `device.memory_gb`, else the backend's figure, else None."""
    if config.device.memory_gb is not None:
        return int(config.device.memory_gb * GB)
    return memory_bytes()


def free_bytes(config: RunConfig) -> int | None:
    """The memory of each device that is free now; on a CPU, the machine's. None if it is not known."""
    if config.device.memory_gb is not None:
        return int(config.device.memory_gb * GB)
    found = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in found:
        return int(found["bytes_limit"] - found.get("bytes_in_use", 0))
    return available_bytes()


def available_bytes() -> int | None:
    """The free memory of this machine, in bytes; None if it is not known."""
    lines = MEMINFO.read_text().splitlines() if MEMINFO.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def tree_bytes(tree: Tree, whole: bool = False) -> int:
    """The size of a tree of arrays or shapes on each device; with `whole`, its size over all devices."""

    def size(leaf: Any) -> int:
        sharding = None if whole else getattr(leaf, "sharding", None)
        return math.prod(leaf.shape if sharding is None else sharding.shard_shape(leaf.shape))

    return sum(size(leaf) * jnp.dtype(leaf.dtype).itemsize for leaf in jax.tree.leaves(tree))


def gb(size: int) -> str:
    """A size in GB, or in MB if it is below 100 MB."""
    return f"{size / GB:.3g} GB" if size >= GB / 10 else f"{size / 1e6:.3g} MB"
