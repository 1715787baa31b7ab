"""Estimates the device memory that a training step needs, before anything is computed or compiled.

Weights, gradients and optimizer state are counted exactly from their shapes. Activations and loss are estimates: XLA
decides how many arrays a layer holds, so the counts were fitted to its `memory_analysis()`, and
tests/trainer/memory/test_estimate.py compares the two. `with_compiled` has the exact figures of a compiled step.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from podium.core.config import RunConfig
from podium.core.errors import RunFailed
from podium.core.states import State
from trainer.device.memory import device_bytes, gb, tree_bytes
from trainer.memory.fixes import fixes
from trainer.model.architecture import Architecture

Tree = Any


@dataclass(frozen=True)
class Memory:
    """Bytes on each device in a training step; `shape` is its part of a micro-batch: (batch, seq)."""

    shape: tuple[int, int]
    weights: int  # trained and frozen
    optimizer: int
    gradients: int  # of a micro-batch, and their sum over micro-batches
    activations: int  # kept per layer, and what the work of one layer needs beyond the loss
    loss: int  # logits of a chunk, and their gradient
    compiled: int | None = None  # gradients, activations and loss together, by the compiler

    @property
    def temporary(self) -> int:
        """Everything that exists only during a step."""
        return self.gradients + self.activations + self.loss if self.compiled is None else self.compiled

    @property
    def total(self) -> int:
        return self.weights + self.optimizer + self.temporary

    def __str__(self) -> str:
        parts = [(name, getattr(self, name)) for name in ("weights", "optimizer", "gradients", "activations", "loss")]
        shown = ", ".join(f"{name} {gb(size)}" for name, size in parts)
        how = "estimated" if self.compiled is None else f"compiled: {gb(self.compiled)} beside weights and optimizer"
        return f"{gb(self.total)} ({shown}; {how})"


def estimate(
    config: RunConfig,
    arch: Architecture,
    dtype: Any,
    chunk: int,
    length: int,
    trainable: Tree,
    frozen: Tree,
    opt_state: Tree,
    n_devices: int = 1,
) -> Memory:
    """Estimate the memory of a step on rows of `length` tokens, with the logits of `chunk` tokens at once.

    The trees hold arrays or shapes. Computes nothing.
    """
    batch, micro_batches = config.train.batch_size // n_devices, config.train.gradient_accumulation_steps
    itemsize = jnp.dtype(dtype).itemsize
    kept, work = layer_bytes(arch, batch, length, itemsize, config.train.remat)
    gathered = (tree_bytes((trainable, frozen), whole=True) - tree_bytes((trainable, frozen))) // arch.layers
    loss = int((LOGITS if n_devices == 1 else LOGITS_OF_ROWS) * min(chunk, batch * length) * arch.vocab_size * 4)
    return Memory(
        shape=(batch, length),
        weights=tree_bytes((trainable, frozen)),
        optimizer=tree_bytes(opt_state),
        gradients=tree_bytes(trainable) * (2 if micro_batches > 1 else 1),
        # A layer's work and the loss are never on the device at the same time.
        activations=arch.layers * kept + gathered + max(0, work - loss),
        loss=loss,
    )


# The number of arrays of each size that exist at once in a layer's forward and backward pass, and of a chunk of logits.
# Fitted to float32 on the CPU backend.
OF_HIDDEN, OF_HEADS, OF_MLP, OF_SCORES, LOGITS = 16, 6, 6, 3, 1.5
# Where rows are divided over devices, each row has chunks of its own, and one more array of logits is kept. Fitted to
# what XLA says for eight v5e chips.
LOGITS_OF_ROWS = 2.5


def layer_bytes(arch: Architecture, batch: int, length: int, itemsize: int, remat: str) -> tuple[int, int]:
    """(bytes kept per layer until the backward pass, bytes held while one layer is computed)"""
    tokens, hidden = batch * length, arch.hidden_size
    heads, keys = arch.heads * arch.head_dim, arch.kv_heads * arch.head_dim
    wide = OF_HIDDEN * hidden + OF_HEADS * (heads + keys) + OF_MLP * arch.mlp_size
    scores = OF_SCORES * tokens * arch.heads * length * 4  # always float32
    work = tokens * wide * itemsize + scores
    kept = {
        "none": 3 * hidden + 2 * heads + 2 * keys + 2 * arch.mlp_size,
        "dots": 3 * hidden + heads + 2 * keys + 2 * arch.mlp_size,
        "full": hidden,
    }
    return tokens * kept[remat] * itemsize, work


def with_compiled(memory: Memory, compiled: Any) -> Memory:
    """`memory` with the compiler's figures; unchanged if the backend reports none."""
    found = compiled.memory_analysis()
    if found is None:
        return memory
    extra = found.output_size_in_bytes - found.alias_size_in_bytes  # donated buffers are not allocated twice
    return Memory(**{**vars(memory), "compiled": int(found.temp_size_in_bytes + max(extra, 0))})


def check_fits(memory: Memory, config: RunConfig) -> None:
    """Raises RunFailed, state INFEASIBLE, if a step does not fit in the device's memory. The message suggests changes.

    Before the step is compiled, only weights, optimizer state and gradients count, because the rest is an estimate.
    """
    available = device_bytes(config)
    sure = memory.total if memory.compiled is not None else memory.weights + memory.optimizer + memory.gradients
    if available is not None and sure > available:
        reason = f"a training step needs {memory}, the device has {gb(available)}; try {' or '.join(fixes(config))}"
        raise RunFailed(State.INFEASIBLE, reason)
