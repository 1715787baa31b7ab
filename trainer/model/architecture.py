"""`Architecture`: everything the decoder needs to know, read from a Hugging Face config.

One decoder covers the families in `FAMILIES`, which differ in a few fields of `Architecture`.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from podium.core.errors import UsageError

FAMILIES = ("gemma", "gemma2", "gemma3_text", "llama", "qwen2", "qwen3")
GEMMA = ("gemma", "gemma2", "gemma3_text")
ACTIVATIONS = {"silu": "silu", "gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh"}
SCALINGS = ("default", "linear", "llama3")


@dataclass(frozen=True)
class Rope:
    """Rotary position embedding of one kind of layer (Su et al. 2021, arXiv 2104.09864).

    `scaling` is how the frequencies are scaled for longer contexts. `default`: not at all. `linear`: divided by
    `factor` (Chen et al. 2023, arXiv 2306.15595). `llama3`: divided by `factor` for wavelengths beyond the original
    context, and gradually less for shorter ones (Llama 3.1's reference code).
    """

    theta: float
    scaling: str = "default"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_positions: int = 8192

    def inverse_frequencies(self, head_dim: int) -> np.ndarray:
        """Radians per position, (head_dim / 2,) float32."""
        exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
        plain = (1.0 / np.float32(self.theta) ** exponents).astype(np.float32)  # (head_dim / 2,)
        if self.scaling == "default":
            return plain
        if self.scaling == "linear":
            return plain / np.float32(self.factor)
        wavelengths = 2 * np.pi / plain
        smooth = (self.original_positions / wavelengths - self.low_freq_factor) / (
            self.high_freq_factor - self.low_freq_factor
        )
        smooth = np.clip(smooth, 0.0, 1.0)
        return ((1 - smooth) * plain / self.factor + smooth * plain).astype(np.float32)


@dataclass(frozen=True)
class Architecture:
    """Sizes and switches of one decoder. `windows` has the sliding window of each layer; 0 for full attention."""

    family: str
    vocab_size: int
    hidden_size: int
    mlp_size: int
    heads: int
    kv_heads: int
    head_dim: int
    max_positions: int
    windows: tuple[int, ...]
    global_rope: Rope
    local_rope: Rope
    norm_eps: float
    unit_offset_norm: bool  # Gemma stores w and multiplies by 1 + w
    qk_norm: bool
    post_norms: bool  # also a norm after attention and after the MLP, before each is added
    qkv_bias: bool
    output_bias: bool
    mlp_bias: bool
    activation: str
    attention_scale: float
    attention_softcap: float | None
    final_softcap: float | None
    embedding_scale: float | None
    tied_head: bool

    @property
    def layers(self) -> int:
        return len(self.windows)

    @property
    def ropes(self) -> tuple[Rope, ...]:
        """The rotary embedding of each layer: layers with a sliding window use the local one."""
        return tuple(self.local_rope if window else self.global_rope for window in self.windows)


def architecture_from_hf(config: Any) -> Architecture:
    """Read a transformers config object.

    Raises:
        UsageError: an unknown `model_type`, or a feature that the decoder does not support.
    """
    if config.model_type == "gemma3":  # text and vision; only the text decoder is supported
        config = config.text_config
    family = check_family(config.model_type)
    gemma = family in GEMMA
    heads = config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    if getattr(config, "use_bidirectional_attention", None):
        raise UsageError("use_bidirectional_attention=true; only causal decoders are supported, choose another model")
    global_rope, local_rope = _ropes(config)
    return Architecture(
        family=family,
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        mlp_size=config.intermediate_size,
        heads=heads,
        kv_heads=config.num_key_value_heads,
        head_dim=head_dim,
        max_positions=config.max_position_embeddings,
        windows=tuple(config.sliding_window if kind == "sliding_attention" else 0 for kind in kinds),
        global_rope=global_rope,
        local_rope=local_rope,
        norm_eps=config.rms_norm_eps,
        unit_offset_norm=gemma,
        qk_norm=family in ("gemma3_text", "qwen3"),
        post_norms=family in ("gemma2", "gemma3_text"),
        qkv_bias=family == "qwen2" or bool(getattr(config, "attention_bias", False)),
        output_bias=family != "qwen2" and bool(getattr(config, "attention_bias", False)),
        mlp_bias=bool(getattr(config, "mlp_bias", False)),
        activation=_activation(config),
        attention_scale=float(getattr(config, "query_pre_attn_scalar", None) or head_dim) ** -0.5,
        # Gemma 3 configs have the field too, but its attention never reads it.
        attention_softcap=config.attn_logit_softcapping if family == "gemma2" else None,
        final_softcap=getattr(config, "final_logit_softcapping", None),
        embedding_scale=math.sqrt(config.hidden_size) if gemma else None,
        tied_head=bool(config.tie_word_embeddings),
    )


def check_family(model_type: str) -> str:
    """`model_type`, if the decoder supports it. Raises UsageError naming it and the supported ones."""
    if model_type == "gpt2":
        raise UsageError("model_type 'gpt2' is not supported; use model.source=tiny if you want a small model")
    if model_type not in FAMILIES:
        raise UsageError(f"unknown model_type {model_type!r}; known: {', '.join((*FAMILIES, 'gemma3'))}")
    return model_type


def _activation(config: Any) -> str:
    name = getattr(config, "hidden_activation", None) or config.hidden_act
    if name not in ACTIVATIONS:
        raise UsageError(f"unknown activation {name!r}; known: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def _ropes(config: Any) -> tuple[Rope, Rope]:
    """(RoPE of global layers, of windowed layers). transformers has one set of parameters, or one per layer type."""
    parameters = config.rope_parameters
    if "full_attention" in parameters:
        return _rope(config, parameters["full_attention"]), _rope(config, parameters["sliding_attention"])
    rope = _rope(config, parameters)
    return rope, rope


def _rope(config: Any, parameters: dict[str, Any]) -> Rope:
    scaling = parameters.get("rope_type", "default")
    if scaling not in SCALINGS:
        raise UsageError(f"unknown rope_type {scaling!r}; known: {', '.join(SCALINGS)}")
    theta = float(parameters["rope_theta"])
    if scaling == "default":
        return Rope(theta)
    if scaling == "linear":
        return Rope(theta, scaling, float(parameters["factor"]))
    return Rope(
        theta,
        scaling,
        float(parameters["factor"]),
        float(parameters["low_freq_factor"]),
        float(parameters["high_freq_factor"]),
        int(parameters.get("original_max_position_embeddings") or config.max_position_embeddings),
    )
