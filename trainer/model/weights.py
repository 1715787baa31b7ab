"""Loads Hugging Face safetensors into stacked arrays, and saves them back.

Tensors are read and copied to the device in pieces of PIECE_BYTES, so that the host's memory holds little more than one
piece (and the weights, if the device is the CPU). The embedding of a small model can be more than half of its weights.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from podium.core.errors import UsageError
from podium.core.files import write_json
from trainer.device.sharding import parameter_shapes, put
from trainer.model.architecture import Architecture
from trainer.model.decoder import Decoder
from trainer.model.int8 import quantise
from trainer.model.sources import INDEX, SINGLE, weight_files
from trainer.model.tensor_names import (
    EMBEDDING,
    HEAD,
    TensorTarget,
    VariablePath,
    is_ignored,
    plain_name,
    tensor_targets,
)

SHARD_BYTES = 5 * 10**9
PIECE_BYTES = 32 * 2**20
DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}  # by their names in safetensors files


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor is in a checkpoint."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: str  # as in the file

    def read(self, start: int, end: int) -> np.ndarray:
        """The rows from `start` to before `end`."""
        # Opened for each piece, because the pages read from a mapped file stay in memory until it is closed.
        with _open(self.file) as handle:
            return handle.get_slice(self.name)[start : min(end, self.shape[0])]


def load_weights(folder: Path, arch: Architecture, dtype: jnp.dtype, mesh: Mesh, int8: bool = False) -> nnx.State:
    """Read the checkpoint in `folder` as the `nnx.Param` state of a decoder on `mesh`; `int8` quantises kernels.

    Raises:
        UsageError: a file or tensor is missing, corrupt, not in the model, or not of the shape in config.json; or a
            head that config.json ties to the embedding is stored with other values.
    """
    shapes = nnx.state(nnx.eval_shape(lambda: Decoder(arch, nnx.Rngs(0), dtype, int8=int8)), nnx.Param)
    targets, stored = tensor_targets(arch, shapes), _stored_tensors(folder)
    _check(folder, targets, stored, arch)
    names: dict[VariablePath, list[str]] = {}  # the tensors of each variable, in the order of layers
    for name, target in targets.items():
        names.setdefault(target.path, []).append(name)
    wanted = dict(nnx.to_flat_state(parameter_shapes(mesh, shapes)))
    loaded: dict[VariablePath, nnx.Variable] = {}
    for path, tensors in names.items():
        scale = (*path[:-1], "scale")  # of an int8 kernel
        paths = (path, scale) if scale in wanted and path[-1] == "kernel" else (path,)
        arrays = [_zeros(wanted[each]) for each in paths]
        for name in tensors:
            arrays = _filled(arrays, stored[name], targets[name])
        loaded |= {each: wanted[each].replace(array) for each, array in zip(paths, arrays, strict=True)}
    return nnx.from_flat_state(loaded.items())


def stored_dtype(folder: Path) -> str:
    """The dtype of the embedding in the checkpoint in `folder`. Raises UsageError: a file is missing or corrupt."""
    dtype = _stored_tensors(folder)[EMBEDDING].dtype
    return DTYPES.get(dtype, "float32")


_quantise = jax.jit(quantise)  # compiled, it makes no float32 copy of the whole kernel


def _zeros(variable: nnx.Variable) -> Array:
    shape: jax.ShapeDtypeStruct = variable.get_value()
    return jnp.zeros(shape.shape, shape.dtype, device=shape.sharding)


def _filled(arrays: list[Array], tensor: StoredTensor, target: TensorTarget) -> list[Array]:
    """`arrays` with the tensor written to its layer: the array of its values, and that of its scales if it is int8."""
    sharding = arrays[0].sharding
    assert isinstance(sharding, NamedSharding)
    # A divided array takes a tensor whole: to write a piece of it, XLA would gather it on every device.
    rows = _rows_at_once(tensor) if sharding.is_fully_replicated else tensor.shape[0]
    placed = NamedSharding(sharding.mesh, PartitionSpec(*sharding.spec[0 if target.layer is None else 1 :]))
    for start in range(0, tensor.shape[0], rows):
        piece = put(tensor.read(start, start + rows), placed)
        parts = _quantise(piece) if len(arrays) == 2 else (piece,)
        arrays = [
            _put(array, part, target.layer, start, array.sharding) for array, part in zip(arrays, parts, strict=True)
        ]
        jax.block_until_ready(arrays)  # otherwise pieces pile up, since reading is faster than copying to the device
    return arrays


def _rows_at_once(tensor: StoredTensor) -> int:
    """The number of rows in a piece of PIECE_BYTES, counted in float32; 1 if a row is larger than that."""
    return max(1, PIECE_BYTES // (4 * math.prod(tensor.shape[1:])))


@partial(jax.jit, donate_argnums=0, static_argnums=4)
def _put(array: Array, piece: Array, layer: Array | int | None, start: Array | int, sharding: NamedSharding) -> Array:
    """Write rows from `start` on to one layer of a stack, or to an array that is not stacked, in place."""
    piece = piece.astype(array.dtype) if layer is None else piece.astype(array.dtype)[None]
    first = (start,) if layer is None else (layer, start)
    filled = jax.lax.dynamic_update_slice(array, piece, (*first, *[0] * (array.ndim - len(first))))
    return jax.lax.with_sharding_constraint(filled, sharding)


def save_weights(
    folder: Path, arch: Architecture, params: nnx.State, max_shard_bytes: int = SHARD_BYTES, dtype: str | None = None
) -> None:
    """Write `params` to safetensors files in `folder`: one file, or several with an index.

    They are rounded to `dtype`, or keep their own. Raises UsageError: a value is too large for `dtype`.
    """
    shards = list(_shards(arch, params, max_shard_bytes, dtype))
    names = [f"model-{i:05}-of-{len(shards):05}.safetensors" for i in range(1, len(shards) + 1)]
    files = dict(zip(names if len(shards) > 1 else [SINGLE], shards, strict=True))
    for name, shard in files.items():
        save_file(shard, folder / name, metadata={"format": "pt"})  # transformers insists on a format
        (folder / name).chmod(0o644)  # save_file makes it readable for its owner only
    if len(shards) > 1:
        total = sum(tensor.nbytes for shard in shards for tensor in shard.values())
        where = {tensor: name for name, shard in files.items() for tensor in shard}
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": where})


def _shards(
    arch: Architecture, params: nnx.State, max_bytes: int, dtype: str | None
) -> Iterator[dict[str, np.ndarray]]:
    """The tensors of a checkpoint by name, in shards of at most `max_bytes` (a larger tensor has its own shard)."""
    values = dict(nnx.to_flat_state(params))
    shard: dict[str, np.ndarray] = {}
    for name, target in tensor_targets(arch, params).items():
        stack = np.asarray(values[target.path][...])
        tensor = _rounded(name, stack if target.layer is None else stack[target.layer], dtype)
        if shard and tensor.nbytes + sum(other.nbytes for other in shard.values()) > max_bytes:
            yield shard
            shard = {}
        shard[name] = tensor
    yield shard


def _rounded(name: str, tensor: np.ndarray, dtype: str | None) -> np.ndarray:
    """The tensor in `dtype`, if one is given. Raises UsageError: a finite value becomes infinite."""
    if dtype is None or tensor.dtype == jnp.dtype(dtype):
        return tensor
    with np.errstate(over="ignore"):  # reported below, with the name
        rounded = tensor.astype(jnp.dtype(dtype))
    if np.isinf(rounded).any() and not np.isinf(tensor).any():
        raise UsageError(
            f"tensor {name} has values up to {np.abs(tensor).max():.4g}, too large for {dtype}; "
            "export with --dtype float32 or bfloat16"
        )
    return rounded


def _stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Every tensor of the text decoder, by its name without a text prefix."""
    stored = {}
    for file in weight_files(folder):
        with _open(file) as handle:
            for name in handle.keys():  # noqa: SIM118 (not a dict)
                if not is_ignored(name):
                    found = handle.get_slice(name)
                    stored[plain_name(name)] = StoredTensor(file, name, tuple(found.get_shape()), found.get_dtype())
    return stored


def _check(
    folder: Path, targets: Mapping[str, TensorTarget], stored: Mapping[str, StoredTensor], arch: Architecture
) -> None:
    """Raises UsageError unless the files have exactly the tensors of the config, with their shapes.

    Reads none, except for a head that is stored although config.json ties it.
    """
    for name, target in targets.items():
        if name not in stored:
            raise UsageError(
                f"{folder}: tensor {name} is missing; download the model again, or give the matching config.json"
            )
        if stored[name].shape != target.shape:
            of = " (vocab_size, hidden_size)" if target.shape[0] == arch.vocab_size else ""
            raise UsageError(
                f"{stored[name].file}: tensor {name} has shape {stored[name].shape}, "
                f"config.json says {target.shape}{of}; give the config.json and weights of the same model"
            )
    if arch.tied_head and HEAD in stored:  # often stored as well
        _check_tied(stored[EMBEDDING], stored[HEAD])
    surplus = [name for name in stored if name not in targets and not (arch.tied_head and name == HEAD)]
    if surplus:
        raise UsageError(
            f"{stored[surplus[0]].file}: tensor {surplus[0]} is not in the model that config.json describes; "
            "give the matching config.json"
        )


def _check_tied(embedding: StoredTensor, head: StoredTensor) -> None:
    """Raises UsageError if a head that config.json ties to the embedding is stored with other values."""
    rows = _rows_at_once(head)
    starts = range(0, head.shape[0], rows)
    if head.shape != embedding.shape or not all(
        np.array_equal(head.read(at, at + rows).astype(np.float32), embedding.read(at, at + rows).astype(np.float32))
        for at in starts
    ):
        raise UsageError(
            f"{head.file}: tensor {HEAD} differs from {EMBEDDING}, but config.json says tie_word_embeddings=true; "
            "set it to false to use the stored head, or remove the tensor to use the embedding"
        )


def _open(file: Path) -> Any:
    try:
        return safe_open(file, framework="np")
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{file}: not a safetensors file ({error}); download the model again") from error
