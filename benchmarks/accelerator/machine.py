"""The device that a part measures, and the sizes that it measures there: those of Gemma 3 1B, or tiny ones on a CPU."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jax
import numpy as np
from flax import nnx

from benchmarks.gemma3_1b import ARCH, lora_config, our_program, shapes_of
from podium.core.budgets.accelerators import Accelerator, of_device_kind
from podium.core.resolved import ResolvedConfig
from trainer.model.architecture import Architecture
from trainer.programs.compiler import CompileRequest
from trainer.programs.training import TrainingProgram

TINY = replace(
    ARCH,
    **{"vocab_size": 512, "hidden_size": 64, "mlp_size": 128, "heads": 4, "kv_heads": 1, "head_dim": 16},
    **{"windows": (16, 0), "attention_scale": 16**-0.5, "embedding_scale": 64**0.5},
)


@dataclass(frozen=True)
class Machine:
    """`known`: the data sheet's figures, None if the card is not in podium/core/budgets."""

    device: jax.Device
    known: Accelerator | None
    is_rehearsal: bool
    arch: Architecture
    dtype: str
    batch: int
    length: int  # of a training row, in tokens
    steps: int  # that are timed
    decoded: tuple[int, ...]  # batches
    new_tokens: int

    def config(self, remat: str = "full") -> ResolvedConfig:
        """LoRA of rank 16 on every projection."""
        return lora_config(self.batch, self.length, self.dtype, remat)

    def __str__(self) -> str:
        return f"{self.batch} x {self.length} tokens, {self.dtype}"


def this_machine() -> Machine:
    """The first device that JAX finds. Keeps compiled programs where the other parts find them."""
    from trainer.device.devices import use_compile_cache

    use_compile_cache()
    device = jax.devices()[0]
    known = of_device_kind(device.device_kind)
    if device.platform == "cpu":
        return Machine(device, known, True, TINY, "float32", 2, 32, 3, (2, 4), 8)
    dtype = "bfloat16" if known is None else known.dtype
    return Machine(device, known, False, ARCH, dtype, 8, 512, 20, (8, 32, 128), 128)


@cache
def weights(arch: Architecture, dtype: str) -> nnx.State:
    """Random weights, drawn one array at a time, so that drawing needs little memory beside them."""
    shapes, tree = jax.tree.flatten(shapes_of(arch, dtype))
    draw = jax.jit(lambda key, shape: 0.02 * jax.random.normal(key, shape.shape, shape.dtype), static_argnums=1)
    keys = jax.random.split(jax.random.key(0), len(shapes))
    drawn = [draw(key, jax.ShapeDtypeStruct(x.shape, x.dtype)) for key, x in zip(keys, shapes, strict=True)]
    return jax.tree.unflatten(tree, drawn)


def n_parameters(arch: Architecture) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(shapes_of(arch, "float32")))


def compiled(_: Any, request: CompileRequest) -> jax.stages.Compiled:
    return request.lower().compile()


def training_program(machine: Machine, remat: str = "full", compile_: Any = compiled) -> TrainingProgram:
    """The program of `podium train` on the random weights."""
    return our_program(machine.arch, machine.config(remat), weights(machine.arch, machine.dtype), compile_)


def batches(machine: Machine, n: int) -> np.ndarray:
    """Random tokens: (n, batch, length) int32."""
    shape = n, machine.batch, machine.length
    return np.random.default_rng(0).integers(3, machine.arch.vocab_size, shape, np.int32)
