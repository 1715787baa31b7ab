"""Sharding of arrays over one mesh with the axes `data` and `fsdp`: one device, several devices, or a pod.

The rows of a batch are divided over both axes. A parameter, its gradient and its optimizer state are divided over
`fsdp` (Rajbhandari et al. 2020, arXiv 1910.02054, stage 3) along the largest axis that `fsdp` divides, but never along
the stacked layers: the scan gathers one layer at a time, and again when it recomputes that layer. The vocabulary head
is never gathered: under `fsdp` each device computes its part of the vocabulary for the rows of its neighbours.

`gather_layer`, `shard_rows` and `shard_rows_over_data` are for use inside a compiled function; without a mesh they do
nothing.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from podium.core.config import RunConfig
from podium.core.errors import UsageError
from trainer.device.machine import devices

Tree = Any
AXES = DATA, FSDP = "data", "fsdp"
# Full fine-tuning keeps parameters, gradients and, with Adam, two moments, all of the same size.
COPIES = 4
# Weights and their copies are divided over the devices if they need more than this share of one device's memory.
SHARE = 0.5


def mesh_of(on: Sequence[jax.Device], fsdp: int = 1) -> Mesh:
    """A mesh of shape (devices / fsdp, fsdp)."""
    return jax.make_mesh((len(on) // fsdp, fsdp), AXES, (AxisType.Auto, AxisType.Auto), devices=list(on))


def choose_mesh(config: RunConfig, weights: int, device_bytes: int | None) -> Mesh:
    """The mesh that a run computes on.

    `weights` is the size of the model in bytes; `device_bytes` is the memory of one device, None if unknown. The mesh
    has the largest number of devices that divides the batch. All of them are on the axis `data`, unless the config sets
    device.fsdp or the model is too large for one device.

    Raises:
        UsageError: `device.count` or `device.fsdp` does not fit the devices of this machine, or the batch size.
    """
    n = n_devices(config)
    kept = weights if config.lora.enabled else COPIES * weights
    is_large = device_bytes is not None and kept > SHARE * device_bytes
    fsdp = config.device.fsdp or (n if is_large else 1)
    return mesh_of(devices()[:n], fsdp)


def describe_mesh(mesh: Mesh) -> str:
    """How a run is divided over devices, for the line that names the device; empty if there is only one device."""
    data, fsdp = mesh.devices.shape
    here = len(devices())
    return f"; on {data * fsdp} of {here}, parameters divided over {fsdp}" if here > 1 else ""


def mesh_key(config: RunConfig) -> str:
    """A key that is equal for two configs of the same model if `choose_mesh` gives both the same mesh."""
    n, device = n_devices(config), config.device
    return "" if n == 1 else f"{n}/{device.fsdp}/{device.memory_gb}/{config.lora.enabled}"


def n_devices(config: RunConfig) -> int:
    """The number of devices that the run is divided over. Raises UsageError as `choose_mesh` does."""
    here, batch, fsdp = len(devices()), config.train.batch_size, config.device.fsdp or 1
    n = config.device.count or (here if jax.process_count() > 1 else _largest_count(here, batch, fsdp))
    if n > here:
        raise UsageError(f"device.count={n}, must be <= {here}, the number of devices here; lower it, or leave it out")
    if n < here and jax.process_count() > 1:
        raise UsageError(
            f"device.count={n}, must be {here}: processes that train together use all their devices; leave it out"
        )
    if n % fsdp:
        raise UsageError(f"device.fsdp={fsdp}, must divide the number of devices, which is {n}; choose a divisor of it")
    if batch % n:
        fewer = _largest_count(here, batch, 1)
        raise UsageError(
            f"train.batch_size={batch}, must be a multiple of the {n} devices that its rows are divided over; "
            f"set train.batch_size={-(-batch // n) * n}"
            + ("" if jax.process_count() > 1 or fewer % fsdp else f" or device.count={fewer}")
        )
    return n


def _largest_count(here: int, batch: int, fsdp: int) -> int:
    """The largest multiple of `fsdp` that divides the batch; `fsdp` itself if there is none."""
    return next((n for n in range(here, 0, -1) if batch % n == 0 and n % fsdp == 0), min(fsdp, here))


def replicated(mesh: Mesh) -> NamedSharding:
    """A copy of the whole array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh, n_rows: int, axis: int = 0) -> NamedSharding:
    """Rows, on axis `axis`, divided over the mesh as far as their number allows it."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, _row_axes(n_rows, mesh)))


def parameter_shapes(mesh: Mesh, tree: Tree) -> Tree:
    """The shapes of parameters or optimizer state, with the sharding of each."""

    def place(path: tuple[Any, ...], leaf: Any) -> jax.ShapeDtypeStruct:
        sharding = NamedSharding(mesh, parameter_spec(leaf.shape, mesh.shape[FSDP], is_stacked(path)))
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    return jax.tree.map_with_path(place, tree)


def replicated_shapes(mesh: Mesh, tree: Tree) -> Tree:
    """The shapes of a tree that every device has a copy of."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=replicated(mesh)), tree)


def parameter_spec(shape: tuple[int, ...], fsdp: int, stacked: bool) -> PartitionSpec:
    """Divide a parameter over `fsdp` along its largest axis that `fsdp` divides; of equal axes, along the first."""
    axes = [axis for axis in range(int(stacked), len(shape)) if shape[axis] and shape[axis] % fsdp == 0]
    if fsdp == 1 or not axes:
        return PartitionSpec()
    largest = max(axes, key=shape.__getitem__)
    return PartitionSpec(*[None] * largest, FSDP)


def is_stacked(path: tuple[Any, ...]) -> bool:
    """Whether the first axis of the array at `path` is the layers: true for every array below `layers`."""
    return "layers" in jax.tree_util.keystr(path, simple=True, separator=".").split(".")


def shardings(tree: Tree) -> Tree:
    """The sharding of each leaf."""
    return jax.tree.map(lambda leaf: leaf.sharding, tree)


def put(tree: Tree, sharding: NamedSharding) -> Tree:
    """Copy host arrays to the mesh. In a pod, every process has the same arrays and fills its own devices."""
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda x: jax.make_array_from_callback(x.shape, sharding, lambda index: x[index]), tree)


def gather_layer(layer: Tree) -> Tree:
    """Gather one layer's parameters over `fsdp` for its computation; their gradients are divided again at once."""
    return jax.tree.map(_gather, layer) if _size(FSDP) > 1 else layer


def shard_rows(x: Array) -> Array:
    """Divide the rows over all devices. x: (rows, ...)."""
    return _constrain(x, (DATA, FSDP)) if _size(*AXES) > 1 else x


def shard_rows_over_data(x: Array) -> Array:
    """Divide the rows over `data` only, for a product whose weights stay divided over `fsdp`. x: (rows, ...)."""
    return _constrain(x, (DATA,)) if _size(*AXES) > 1 else x


def mesh_size() -> int:
    """The number of devices that the function is being compiled for; 1 without a mesh."""
    return _size(*AXES)


def _constrain(x: Array, axes: tuple[str, ...]) -> Array:
    mesh = jax.sharding.get_abstract_mesh()
    return jax.lax.with_sharding_constraint(x, PartitionSpec(_row_axes(x.shape[0], mesh, axes)))


def _row_axes(n_rows: int, mesh: Any, axes: tuple[str, ...] = AXES) -> tuple[str, ...] | None:
    """The axes that `n_rows` rows can be divided over: `axes`, else `data` alone, else None."""
    return next((names for names in (axes, (DATA,)) if n_rows % _product(mesh, names) == 0), None)


def _size(*axes: str) -> int:
    mesh = jax.sharding.get_abstract_mesh()
    return 1 if mesh.empty else _product(mesh, axes)


def _product(mesh: Any, axes: tuple[str, ...]) -> int:
    return math.prod(mesh.shape[axis] for axis in axes)


@jax.custom_vjp
def _gather(x: Array) -> Array:
    return jax.lax.with_sharding_constraint(x, PartitionSpec())


def _gather_forward(x: Array) -> tuple[Array, None]:
    return _gather(x), None


def _gather_backward(_: None, gradient: Array) -> tuple[Array]:
    spec = parameter_spec(gradient.shape, _size(FSDP), stacked=False)
    return (jax.lax.with_sharding_constraint(gradient, spec),)


_gather.defvjp(_gather_forward, _gather_backward)
