"""Bytes: what a device has, and what arrays take there."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from podium.core.config import RunConfig

GB = 1e9
Tree = Any


def device_bytes(config: RunConfig) -> int | None:
    """What there is on each device: `device.memory_gb`, else what the backend says; None where neither does."""
    if config.device.memory_gb is not None:
        return int(config.device.memory_gb * GB)
    found = jax.local_devices()[0].memory_stats() or {}
    return found.get("bytes_limit")


def tree_bytes(tree: Tree, whole: bool = False) -> int:
    """Of arrays or of their shapes, on each device; `whole` counts what is divided over devices as one."""

    def size(leaf: Any) -> int:
        sharding = None if whole else getattr(leaf, "sharding", None)
        return math.prod(leaf.shape if sharding is None else sharding.shard_shape(leaf.shape))

    return sum(size(leaf) * jnp.dtype(leaf.dtype).itemsize for leaf in jax.tree.leaves(tree))


def gb(size: int) -> str:
    return f"{size / GB:.3g} GB" if size >= GB / 100 else f"{size / 1e6:.3g} MB"
