"""The tensors of a Hugging Face checkpoint: their names, and where each goes in the decoder."""

from dataclasses import dataclass

from flax import nnx

from trainer.model.architecture import Architecture

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

EMBEDDING, HEAD = OUTER_NAMES["embedding"], OUTER_NAMES["untied_head"]

VariablePath = tuple[str, ...]  # a variable in the decoder's state: ("layers", "q", "kernel")


@dataclass(frozen=True)
class TensorTarget:
    """Where a tensor goes in the decoder: a variable, and the layer in its stack (None if it is not stacked)."""

    path: VariablePath
    layer: int | None
    shape: tuple[int, ...]


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


def is_ignored(name: str) -> bool:
    """Whether the tensor of this stored name is not part of the text decoder."""
    return name.startswith(IGNORED) or name.endswith(IGNORED_ENDINGS)


def plain_name(name: str) -> str:
    """A stored name without its text prefix."""
    for prefix in TEXT_PREFIXES:
        if name.startswith(prefix):
            rest = name.removeprefix(prefix)
            return rest if rest.startswith("lm_head.") else f"model.{rest}"
    return name
