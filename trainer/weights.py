"""Hugging Face safetensors to stacked arrays, and back.

Reading goes one tensor at a time straight into its place in a stack of the wanted dtype, so the peak of host memory is the
weights and little more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors import SafetensorError, safe_open

from podium.core.errors import UsageError
from podium.core.files import read_json
from trainer.architecture import Architecture
from trainer.decoder import Decoder

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
# Gemma 3 checkpoints with vision hold the text decoder under one of these, by the version that wrote them.
TEXT_PREFIXES = ("language_model.model.", "model.language_model.", "language_model.")
# Not of the text decoder, or computed anew: passed over.
IGNORED = ("vision_tower.", "model.vision_tower.", "multi_modal_projector.", "model.multi_modal_projector.")
IGNORED_ENDINGS = (".rotary_emb.inv_freq",)

Path_ = tuple[str, ...]  # of a variable in the decoder's state: ("layers", "q", "kernel")


@dataclass(frozen=True)
class Slot:
    """Where one tensor of a checkpoint goes: a variable, and the layer of its stack (None where there is no stack)."""

    path: Path_
    layer: int | None
    shape: tuple[int, ...]


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint. Raises UsageError naming the file that is missing and where."""
    if (folder / INDEX).is_file():
        index = read_json(folder / INDEX)
        if not isinstance(index, dict) or not isinstance(index.get("weight_map"), dict):
            raise UsageError(f"{folder / INDEX}: has no weight_map; the file is corrupt")
        files = [folder / name for name in sorted(set(index["weight_map"].values()))]
    else:
        files = [folder / SINGLE]
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file.name} is missing in {folder}; weights are read from safetensors files")
    return files


def load_weights(folder: Path, arch: Architecture, dtype: jnp.dtype) -> nnx.State:
    """Read the checkpoint in `folder` as the `nnx.Param` state of a decoder.

    Raises:
        UsageError: a file or tensor is missing, corrupt, surplus, or of another shape than config.json says.
    """
    state = abstract_weights(arch, dtype)
    found = _tensors(folder)
    slots = tensor_slots(arch, state)
    _check(folder, slots, found, arch)
    by_path: dict[Path_, list[tuple[str, Slot]]] = {}
    for name, slot in slots.items():
        by_path.setdefault(slot.path, []).append((name, slot))
    loaded = []
    for path, variable in nnx.to_flat_state(state):
        stack = np.empty(variable.shape, dtype)
        for name, slot in by_path[path]:
            stack[... if slot.layer is None else slot.layer] = _read(*found[name][:2])
        loaded.append((path, variable.replace(jnp.asarray(stack))))
    return nnx.from_flat_state(loaded)


def abstract_weights(arch: Architecture, dtype: jnp.dtype) -> nnx.State:
    """Shapes and dtypes of a decoder's base weights; holds no memory."""
    return nnx.state(nnx.eval_shape(lambda: Decoder(arch, nnx.Rngs(0), dtype)), nnx.Param)


def tensor_slots(arch: Architecture, state: nnx.State) -> dict[str, Slot]:
    """Every tensor of a checkpoint of this architecture, by its Hugging Face name, in the order of the state."""
    slots = {}
    for path, variable in nnx.to_flat_state(state):
        if path[0] == "layers":
            for layer in range(arch.layers):
                slots[_name(arch, path, layer)] = Slot(path, layer, variable.shape[1:])
        else:
            slots[_name(arch, path, None)] = Slot(path, None, variable.shape)
    return slots


def _name(arch: Architecture, path: Path_, layer: int | None) -> str:
    """The Hugging Face name of a variable: ("layers", "q", "kernel"), 3 -> model.layers.3.self_attn.q_proj.weight."""
    if layer is None:
        names = {"embedding": "model.embed_tokens", "final_norm": "model.norm", "untied_head": "lm_head"}
        return f"{names[path[0]]}.weight"
    _, module, leaf = path
    # With norms on both sides of the MLP, `post_attention_layernorm` is what it says; else it is the one before the MLP.
    names = {
        **{name: f"self_attn.{name}_proj" for name in ("q", "k", "v", "o")},
        **{name: f"mlp.{name}_proj" for name in ("gate", "up", "down")},
        **{name: f"self_attn.{name}" for name in ("q_norm", "k_norm")},
        "attention_norm": "input_layernorm",
        "post_attention_norm": "post_attention_layernorm",
        "mlp_norm": "pre_feedforward_layernorm" if arch.post_norms else "post_attention_layernorm",
        "post_mlp_norm": "post_feedforward_layernorm",
    }
    return f"model.layers.{layer}.{names[module]}.{'bias' if leaf == 'bias' else 'weight'}"


def _tensors(folder: Path) -> dict[str, tuple[Path, str, tuple[int, ...]]]:
    """(file, name in it, shape) of every tensor that belongs to a text decoder, by its name without a text prefix."""
    found = {}
    for file in weight_files(folder):
        with _open(file) as handle:
            for name in handle.keys():  # noqa: SIM118 (not a dict)
                if not name.startswith(IGNORED) and not name.endswith(IGNORED_ENDINGS):
                    found[_plain(name)] = (file, name, tuple(handle.get_slice(name).get_shape()))
    return found


def _plain(name: str) -> str:
    for prefix in TEXT_PREFIXES:
        if name.startswith(prefix):
            rest = name.removeprefix(prefix)
            return rest if rest.startswith("lm_head.") else f"model.{rest}"
    return name


def _check(
    folder: Path, slots: Mapping[str, Slot], found: Mapping[str, tuple[Path, str, tuple[int, ...]]], arch: Architecture
) -> None:
    """Before a byte is read: the checkpoint has exactly the tensors of the config, each of the right shape."""
    for name, slot in slots.items():
        if name not in found:
            raise UsageError(
                f"{folder}: tensor {name} is missing; the files are incomplete or config.json is not theirs"
            )
        if found[name][2] != slot.shape:
            what = "vocab_size, hidden_size" if name == "model.embed_tokens.weight" else "its shape"
            raise UsageError(
                f"{found[name][0]}: tensor {name} is {found[name][2]}, config.json says {what} {slot.shape}; "
                "the two are not of one model"
            )
    # A tied head is often stored a second time.
    surplus = [name for name in found if name not in slots and not (arch.tied_head and name == "lm_head.weight")]
    if surplus:
        raise UsageError(f"{found[surplus[0]][0]}: tensor {surplus[0]} is surplus; config.json has no place for it")


def _read(file: Path, name: str) -> np.ndarray:
    # Opened anew for each tensor: what a mapped file has shown stays in memory until it is closed.
    with _open(file) as handle:
        return handle.get_tensor(name)


def _open(file: Path):
    try:
        return safe_open(file, framework="np")
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{file}: not a safetensors file ({error}); it is corrupt or incomplete") from error
