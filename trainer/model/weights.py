"""Loads Hugging Face safetensors into stacked arrays, and saves them back.

Each tensor is read and copied to the device on its own, in its final dtype, so that host memory never holds much more
than one tensor (and the weights, if the device is the CPU).
"""

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

OUTER_NAMES = {
    "embedding": "model.embed_tokens.weight",
    "final_norm": "model.norm.weight",
    "untied_head": "lm_head.weight",
}
LAYER_NAMES = {
    **{name: f"self_attn.{name}_proj" for name in ("q", "k", "v", "o")},
    **{name: f"self_attn.{name}" for name in ("q_norm", "k_norm")},
    **{name: f"mlp.{name}_proj" for name in ("gate", "up", "down")},
    "attention_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "mlp_norm": "pre_feedforward_layernorm",
    "post_mlp_norm": "post_feedforward_layernorm",
}
# Gemma 3 checkpoints with vision have one of these before the names of the text decoder, depending on the version.
TEXT_PREFIXES = ("language_model.model.", "model.language_model.", "language_model.")
# Not part of the text decoder, or computed by it: skipped.
IGNORED = ("vision_tower.", "model.vision_tower.", "multi_modal_projector.", "model.multi_modal_projector.")
IGNORED_ENDINGS = (".rotary_emb.inv_freq",)
SHARD_BYTES = 5 * 10**9

VariablePath = tuple[str, ...]  # a variable in the decoder's state: ("layers", "q", "kernel")


@dataclass(frozen=True)
class TensorTarget:
    """Where a tensor goes in the decoder: a variable, and the layer in its stack (None if it is not stacked)."""

    path: VariablePath
    layer: int | None
    shape: tuple[int, ...]


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor is in a checkpoint."""

    file: Path
    name: str
    shape: tuple[int, ...]

    def read(self) -> np.ndarray:
        # Opened for each tensor, because the pages read from a mapped file stay in memory until it is closed.
        with _open(self.file) as handle:
            return handle.get_tensor(self.name)


def load_weights(folder: Path, arch: Architecture, dtype: jnp.dtype, mesh: Mesh, int8: bool = False) -> nnx.State:
    """Read the checkpoint in `folder` as the `nnx.Param` state of a decoder on `mesh`; `int8` quantises kernels.

    Raises:
        UsageError: a file or tensor is missing, corrupt, not in the model, or not of the shape in config.json.
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
            tensor = put(stored[name].read(), _tensor_sharding(arrays[0], targets[name]))
            parts = _quantise(tensor) if len(paths) == 2 else (tensor,)
            layer = targets[name].layer
            arrays = [_put(array, part, layer, array.sharding) for array, part in zip(arrays, parts, strict=True)]
            jax.block_until_ready(
                arrays
            )  # otherwise tensors pile up, since reading is faster than copying to the device
        loaded |= {each: wanted[each].replace(array) for each, array in zip(paths, arrays, strict=True)}
    return nnx.from_flat_state(loaded.items())


_quantise = jax.jit(quantise)  # compiled, it makes no float32 copy of the whole kernel


def _zeros(variable: nnx.Variable) -> Array:
    shape: jax.ShapeDtypeStruct = variable.get_value()
    return jnp.zeros(shape.shape, shape.dtype, device=shape.sharding)


def _tensor_sharding(array: Array, target: TensorTarget) -> NamedSharding:
    """The sharding of a tensor that is one layer of `array`, or all of it."""
    sharding = array.sharding
    assert isinstance(sharding, NamedSharding)
    layer = 0 if target.layer is None else 1
    return NamedSharding(sharding.mesh, PartitionSpec(*sharding.spec[layer:]))


@partial(jax.jit, donate_argnums=0, static_argnums=3)
def _put(array: Array, tensor: Array, layer: Array | int | None, sharding: NamedSharding) -> Array:
    """Write `tensor` to one layer of a stack, or to all of an array that is not stacked, in place."""
    tensor = tensor.astype(array.dtype)
    filled = tensor if layer is None else jax.lax.dynamic_update_index_in_dim(array, tensor, layer, axis=0)
    return jax.lax.with_sharding_constraint(filled, sharding)


def save_weights(folder: Path, arch: Architecture, params: nnx.State, max_shard_bytes: int = SHARD_BYTES) -> None:
    """Write `params` to safetensors files in `folder`, in their dtype: one file, or several with an index."""
    shards = list(_shards(arch, params, max_shard_bytes))
    names = [f"model-{i:05}-of-{len(shards):05}.safetensors" for i in range(1, len(shards) + 1)]
    files = dict(zip(names if len(shards) > 1 else [SINGLE], shards, strict=True))
    for name, shard in files.items():
        save_file(shard, folder / name, metadata={"format": "pt"})  # transformers insists on a format
        (folder / name).chmod(0o644)  # save_file makes it readable for its owner only
    if len(shards) > 1:
        total = sum(tensor.nbytes for shard in shards for tensor in shard.values())
        where = {tensor: name for name, shard in files.items() for tensor in shard}
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": where})


def _shards(arch: Architecture, params: nnx.State, max_bytes: int) -> Iterator[dict[str, np.ndarray]]:
    """The tensors of a checkpoint by name, in shards of at most `max_bytes` (a larger tensor has its own shard)."""
    values = dict(nnx.to_flat_state(params))
    shard: dict[str, np.ndarray] = {}
    for name, target in tensor_targets(arch, params).items():
        stack = np.asarray(values[target.path][...])
        tensor = stack if target.layer is None else stack[target.layer]
        if shard and tensor.nbytes + sum(other.nbytes for other in shard.values()) > max_bytes:
            yield shard
            shard = {}
        shard[name] = tensor
    yield shard


def tensor_targets(arch: Architecture, state: nnx.State) -> dict[str, TensorTarget]:
    """Every tensor of a checkpoint of this architecture, by its Hugging Face name, in the order of the state."""
    targets = {}
    for keys, variable in nnx.to_flat_state(state):
        path = tuple(map(str, keys))
        if path[-1] == "scale":
            continue  # not a tensor in the files: computed from the kernel
        if path[0] == "layers":
            for layer in range(arch.layers):
                targets[_name(arch, path, layer)] = TensorTarget(path, layer, variable.shape[1:])
        else:
            targets[_name(arch, path, None)] = TensorTarget(path, None, variable.shape)
    return targets


def _name(arch: Architecture, path: VariablePath, layer: int | None) -> str:
    """The Hugging Face name of a variable: ("layers", "q", "kernel"), 3 -> model.layers.3.self_attn.q_proj.weight."""
    if layer is None:
        return OUTER_NAMES[path[0]]
    _, module, leaf = path
    # Without norms after attention and MLP, the norm before the MLP is called post_attention_layernorm.
    old_name = module == "mlp_norm" and not arch.post_norms
    name = LAYER_NAMES["post_attention_norm" if old_name else module]
    return f"model.layers.{layer}.{name}.{'bias' if leaf == 'bias' else 'weight'}"


def _stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Every tensor of the text decoder, by its name without a text prefix."""
    stored = {}
    for file in weight_files(folder):
        with _open(file) as handle:
            for name in handle.keys():  # noqa: SIM118 (not a dict)
                if not name.startswith(IGNORED) and not name.endswith(IGNORED_ENDINGS):
                    stored[_plain(name)] = StoredTensor(file, name, tuple(handle.get_slice(name).get_shape()))
    return stored


def _plain(name: str) -> str:
    for prefix in TEXT_PREFIXES:
        if name.startswith(prefix):
            rest = name.removeprefix(prefix)
            return rest if rest.startswith("lm_head.") else f"model.{rest}"
    return name


def _check(
    folder: Path, targets: Mapping[str, TensorTarget], stored: Mapping[str, StoredTensor], arch: Architecture
) -> None:
    """Raises UsageError unless the files have exactly the tensors of the config, with their shapes. Reads none."""
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
    # A tied head is often stored as a separate tensor, too.
    surplus = [name for name in stored if name not in targets and not (arch.tied_head and name == "lm_head.weight")]
    if surplus:
        raise UsageError(
            f"{stored[surplus[0]].file}: tensor {surplus[0]} is not in the model that config.json describes; "
            "give the matching config.json"
        )


def _open(file: Path) -> Any:
    try:
        return safe_open(file, framework="np")
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{file}: not a safetensors file ({error}); download the model again") from error
