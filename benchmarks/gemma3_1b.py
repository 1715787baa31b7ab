"""The Gemma 3 1B training step of Podium and of google-tunix, with LoRA of rank 16 in bfloat16, from shapes alone.

`lower_ours` and `lower_tunix` trace and lower it. They compute nothing and need no weights.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from benchmarks.tunix_gemma3 import model_config, with_adapters
from podium.core.config import RunConfig
from podium.core.resolved import ResolvedConfig, resolved
from trainer.data.tokenizer import Tokenizer
from trainer.model.architecture import Architecture, Rope
from trainer.model.base_model import BaseModel
from trainer.model.decoder import Decoder
from trainer.model.sources import TINY
from trainer.programs.compiler import Compile, CompileRequest
from trainer.programs.training import TrainingProgram

RANK, ALPHA = 16, 16.0
ARCH = Architecture(
    family="gemma3_text",
    vocab_size=262144,
    hidden_size=1152,
    mlp_size=6912,
    heads=4,
    kv_heads=1,
    head_dim=256,
    max_positions=32768,
    windows=tuple(512 if number % 6 else 0 for number in range(1, 27)),
    global_rope=Rope(1e6),
    local_rope=Rope(1e4),
    norm_eps=1e-6,
    unit_offset_norm=True,
    qk_norm=True,
    post_norms=True,
    qkv_bias=False,
    output_bias=False,
    mlp_bias=False,
    activation="gelu_tanh",
    attention_scale=256**-0.5,
    attention_softcap=None,
    final_softcap=None,
    embedding_scale=1152**0.5,
    tied_head=True,
)


def lora_config(batch: int, length: int, dtype: str, remat: str = "full") -> ResolvedConfig:
    """The config of a run that trains adapters on every projection."""
    sizes = {"train.batch_size": batch, "data.max_seq_len": length, "train.dtype": dtype, "train.remat": remat}
    sizes |= {"generate.batch_size": 32, "generate.max_prompt_tokens": 32, "generate.max_new_tokens": 32}
    return resolved(RunConfig().with_overrides({**sizes, "lora.enabled": True, "lora.rank": RANK, "lora.alpha": ALPHA}))


def shapes_of(arch: Architecture, dtype: str) -> nnx.State:
    """The shapes of a decoder's weights."""
    return nnx.state(nnx.eval_shape(lambda: Decoder(arch, nnx.Rngs(0), jnp.dtype(dtype))), nnx.Param)


def our_program(arch: Architecture, config: ResolvedConfig, params: nnx.State, compile_: Compile) -> TrainingProgram:
    """The program of `podium train` for weights, or their shapes, without a checkpoint."""
    config = config.with_overrides({"model.source": "benchmark"})
    return TrainingProgram(config, BaseModel(arch, params, Tokenizer(TINY), "benchmark", TINY), compile_)


def lower_ours(batch: int, length: int, arch: Architecture = ARCH) -> jax.stages.Lowered:
    """The step that `podium train` compiles, lowered."""

    def lower(_: Any, request: CompileRequest) -> Any:
        return request.lower()

    return our_program(arch, lora_config(batch, length, "bfloat16"), shapes_of(arch, "bfloat16"), lower).step


def lower_tunix(batch: int, length: int, remat: str, arch: Architecture = ARCH) -> jax.stages.Lowered:
    """The step of google-tunix's PeftTrainer with its default loss, lowered. `remat` is NONE, BLOCK or DECODER."""
    from tunix.sft.peft_trainer import _default_loss_fn

    graphdef, state = tunix_model(remat, arch)

    def step(state: Any, inputs: dict[str, jax.Array]) -> Any:
        model, optimizer = nnx.merge(graphdef, state)
        gradient = nnx.value_and_grad(_default_loss_fn, argnums=nnx.DiffState(0, nnx.LoRAParam))
        loss, gradients = gradient(model, **inputs)
        norm = optax.global_norm(gradients)
        optimizer.update(model, gradients)
        return loss, norm, nnx.state((model, optimizer))

    tokens = jax.ShapeDtypeStruct((batch, length), np.int32)
    inputs = {"input_tokens": tokens, "input_mask": tokens, "positions": tokens}
    inputs["attention_mask"] = jax.ShapeDtypeStruct((batch, length, length), bool)
    return jax.jit(step, donate_argnums=0).lower(state, inputs)


@cache
def tunix_model(remat: str, arch: Architecture = ARCH) -> tuple[Any, Any]:
    """google-tunix's model with adapters and optimizer, as graph definition and shapes."""
    from tunix.models.gemma3.model import Gemma3

    def make() -> tuple[Any, Any]:
        model = with_adapters(Gemma3(model_config(arch, "bfloat16", remat), rngs=nnx.Rngs(0)), RANK, ALPHA)
        return model, nnx.Optimizer(model, optax.adamw(1e-3), wrt=nnx.LoRAParam)

    return nnx.split(nnx.eval_shape(make))
