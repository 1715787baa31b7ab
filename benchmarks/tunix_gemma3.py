"""google-tunix's Gemma 3 in the shapes of one of our architectures. Only `tunix_missing` works without google-tunix."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from trainer.model.architecture import Architecture

PROJECTIONS = ".*(q_einsum|kv_einsum|attn_vec_einsum|gate_proj|up_proj|down_proj)"


def tunix_missing() -> str | None:
    """The message to print if google-tunix is not installed, else None."""
    return None if find_spec("tunix") else "google-tunix is not installed (benchmarks/requirements-bench.txt)"


def model_config(arch: Architecture, dtype: str, remat: str = "NONE") -> Any:
    """google-tunix's ModelConfig. `remat` is NONE, BLOCK or DECODER. google-tunix makes every sixth layer global."""
    from tunix.models.gemma3.model import ModelConfig, RematConfig

    return ModelConfig(
        num_layers=arch.layers,
        num_embed=arch.vocab_size,
        embed_dim=arch.hidden_size,
        hidden_dim=arch.mlp_size,
        num_heads=arch.heads,
        head_dim=arch.head_dim,
        num_kv_heads=arch.kv_heads,
        sliding_window_size=max(arch.windows),
        local_base_frequency=int(arch.local_rope.theta),
        global_base_frequency=int(arch.global_rope.theta),
        param_dtype=jnp.dtype(dtype),
        remat_config=RematConfig[remat],
    )


def load(folder: Path, arch: Architecture, dtype: str) -> Any:
    """Load the checkpoint in `folder` with google-tunix's safetensors loader."""
    from tunix.models.gemma3.params_safetensors import create_model_from_safe_tensors

    mesh = jax.make_mesh((1, 1), ("fsdp", "tp"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    return create_model_from_safe_tensors(str(folder), model_config(arch, dtype), mesh, dtype=jnp.dtype(dtype))


def with_adapters(model: Any, rank: int, alpha: float) -> Any:
    """Add LoRA to every projection of `model` with Qwix, as in google-tunix's examples."""
    import qwix

    provider = qwix.LoraProvider(module_path=PROJECTIONS, rank=rank, alpha=alpha)
    return qwix.apply_lora_to_model(model, provider, rngs=nnx.Rngs(1), **model.get_model_input())
