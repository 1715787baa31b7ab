"""Where arrays lie: on one mesh with the axes `data` and `fsdp`, be it one device, several, or a pod's.

The rows of a batch are divided over both axes. A parameter, and with it its gradient and its optimizer state, is
divided over `fsdp` (Rajbhandari et al. 2020, arXiv 1910.02054, stage 3) along its largest axis that divides, but never
along the stacked layers: the scan gathers one layer at a time, and again in its recomputation. The vocabulary head is
never gathered: under `fsdp` a device works out its share of the vocabulary for the rows of its neighbours.

`whole`, `rows` and `rows_over_data` say so inside a compiled function; without a mesh they do nothing.
"""

from typing import Any

import jax
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from podium.core.config import RunConfig
from podium.core.errors import UsageError

Tree = Any
AXES = DATA, FSDP = "data", "fsdp"
# Full fine-tuning keeps parameters, gradients and, with Adam, two moments, all of one size.
COPIES = 4
# Of a device's memory, that weights and what is kept beside them may take before they are divided.
SHARE = 0.5


def mesh_of(devices: list[jax.Device], fsdp: int = 1) -> Mesh:
    return jax.make_mesh((len(devices) // fsdp, fsdp), AXES, (AxisType.Auto, AxisType.Auto), devices=devices)


def choose_mesh(config: RunConfig, weights: int, device_bytes: int | None) -> Mesh:
    """The devices that a run computes on. `weights`: bytes of the model; `device_bytes`: of a device, where known.

    Of the devices here, as many as divide the batch: `data` holds them all, unless the model is too large for one.

    Raises:
        UsageError: `device.count` or `device.fsdp` does not fit what is here, or the batch.
    """
    n = n_devices(config)
    kept = weights if config.lora.enabled else COPIES * weights
    is_large = device_bytes is not None and kept > SHARE * device_bytes
    fsdp = config.device.fsdp or (n if is_large else 1)
    return mesh_of(jax.devices()[:n], fsdp)


def in_words(mesh: Mesh) -> str:
    """How a run is divided; nothing where there is one device to choose from."""
    data, fsdp = mesh.devices.shape
    here = jax.device_count()
    return f"; on {data * fsdp} of {here}, parameters divided over {fsdp}" if here > 1 else ""


def mesh_facts(config: RunConfig) -> str:
    """Equal for two configs on whose account `choose_mesh` chooses alike, for the same model."""
    n, device = n_devices(config), config.device
    return "" if n == 1 else f"{n}/{device.fsdp}/{device.memory_gb}/{config.lora.enabled}"


def n_devices(config: RunConfig) -> int:
    """How many devices the run is divided over. Raises UsageError as `choose_mesh` does."""
    here, batch, fsdp = jax.device_count(), config.train.batch_size, config.device.fsdp or 1
    n = config.device.count or (here if jax.process_count() > 1 else _most(here, batch, fsdp))
    if n > here:
        raise UsageError(f"device.count={n}, must be at most {here}, the devices here; lower it or leave it out")
    if n < here and jax.process_count() > 1:
        raise UsageError(
            f"device.count={n}, must be {here}: processes that train together use all devices; leave it out"
        )
    if n % fsdp:
        raise UsageError(f"device.fsdp={fsdp}, must divide the number of devices, which is {n}; choose a divisor of it")
    if batch % n:
        fewer = _most(here, batch, 1)
        raise UsageError(
            f"train.batch_size={batch}, must be a multiple of the {n} devices that its rows are divided over; "
            f"set train.batch_size={-(-batch // n) * n}"
            + ("" if jax.process_count() > 1 or fewer % fsdp else f" or device.count={fewer}")
        )
    return n


def _most(here: int, batch: int, fsdp: int) -> int:
    """Devices that divide the batch, `fsdp` of them or a multiple; `fsdp` itself where none do."""
    return next((n for n in range(here, 0, -1) if batch % n == 0 and n % fsdp == 0), min(fsdp, here))


def on_every(mesh: Mesh) -> NamedSharding:
    """Each device has all of it."""
    return NamedSharding(mesh, PartitionSpec())


def rows_on(mesh: Mesh, n_rows: int, axis: int = 0) -> NamedSharding:
    """Rows divided over the mesh, where their number allows it."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, _row_axes(n_rows, mesh)))


def parameters_on(mesh: Mesh, tree: Tree) -> Tree:
    """Parameters or optimizer state as shapes that know where they lie."""

    def place(path: tuple, leaf: Any) -> jax.ShapeDtypeStruct:
        sharding = NamedSharding(mesh, parameter_spec(leaf.shape, mesh.shape[FSDP], is_stacked(path)))
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    return jax.tree.map_with_path(place, tree)


def parameter_spec(shape: tuple[int, ...], fsdp: int, stacked: bool) -> PartitionSpec:
    """Over `fsdp` along the largest axis that divides, the first of equals."""
    axes = [axis for axis in range(int(stacked), len(shape)) if shape[axis] and shape[axis] % fsdp == 0]
    if fsdp == 1 or not axes:
        return PartitionSpec()
    largest = max(axes, key=shape.__getitem__)
    return PartitionSpec(*[None] * largest, FSDP)


def is_stacked(path: tuple) -> bool:
    """Below `layers` every array has the layers as its first axis."""
    return "layers" in jax.tree_util.keystr(path, simple=True, separator=".").split(".")


def shardings(tree: Tree) -> Tree:
    return jax.tree.map(lambda leaf: leaf.sharding, tree)


def put(tree: Tree, sharding: NamedSharding) -> Tree:
    """Arrays of this process on the mesh; in a pod every process has the same, and gives its own devices their part."""
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda x: jax.make_array_from_callback(x.shape, sharding, lambda index: x[index]), tree)


def whole(layer: Tree) -> Tree:
    """One layer's parameters gathered for its use; their gradients are divided again at once."""
    return jax.tree.map(_whole, layer) if _size(FSDP) > 1 else layer


def rows(x: Array) -> Array:
    """x: (rows, ...), each row on one device."""
    return _constrain(x, (DATA, FSDP)) if _size(*AXES) > 1 else x


def rows_over_data(x: Array) -> Array:
    """x: (rows, ...), each row on every device of `fsdp`: for work whose weights stay divided."""
    return _constrain(x, (DATA,)) if _size(*AXES) > 1 else x


def n_meshed() -> int:
    """Devices of the mesh that the function is being compiled for; 1 without one."""
    return _size(*AXES)


def _constrain(x: Array, axes: tuple[str, ...]) -> Array:
    mesh = jax.sharding.get_abstract_mesh()
    return jax.lax.with_sharding_constraint(x, PartitionSpec(_row_axes(x.shape[0], mesh, axes)))


def _row_axes(n_rows: int, mesh: Any, axes: tuple[str, ...] = AXES) -> tuple[str, ...] | None:
    """The axes that rows can be divided over."""
    for wanted in (axes, (DATA,)):
        if n_rows % _product(mesh, wanted) == 0:
            return wanted
    return None


def _size(*axes: str) -> int:
    mesh = jax.sharding.get_abstract_mesh()
    return 1 if mesh.empty else _product(mesh, axes)


def _product(mesh: Any, axes: tuple[str, ...]) -> int:
    size = 1
    for axis in axes:
        size *= mesh.shape[axis]
    return size


@jax.custom_vjp
def _whole(x: Array) -> Array:
    return jax.lax.with_sharding_constraint(x, PartitionSpec())


def _whole_forward(x: Array) -> tuple[Array, None]:
    return _whole(x), None


def _whole_backward(_: None, gradient: Array) -> tuple[Array]:
    spec = parameter_spec(gradient.shape, _size(FSDP), stacked=False)
    return (jax.lax.with_sharding_constraint(gradient, spec),)


_whole.defvjp(_whole_forward, _whole_backward)
