"""What a training step needs of the device's memory, worked out before anything is computed or compiled.

Weights, gradients and optimizer state are counted exactly, from their shapes. Activations and loss are estimates: how
many arrays of which size a layer holds is what XLA makes of it, and was fitted to its `memory_analysis()`
(tests/trainer/test_memory.py holds the estimate to it). Once the step is compiled, `of_compiled` has what it says.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from podium.core.config import RunConfig
from podium.core.errors import RunFailed
from podium.core.states import State
from trainer.architecture import Architecture
from trainer.device import compute_dtype
from trainer.loss import CHUNK_ELEMENTS

GB = 1e9
Tree = Any


@dataclass(frozen=True)
class Memory:
    """Bytes on each device in a training step with micro-batches of `shape` (batch, seq) on it."""

    shape: tuple[int, int]
    weights: int  # trained and frozen
    optimizer: int
    gradients: int  # of a micro-batch, and their sum over micro-batches
    activations: int  # what is kept of each layer, and a layer's work
    loss: int  # logits of a chunk, and their gradient
    compiled: int | None = None  # gradients, activations and loss together, as the compiler has them

    @property
    def temporary(self) -> int:
        """A layer's work and the loss are not there at once, so this is a little on the safe side."""
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
    length: int,
    trainable: Tree,
    frozen: Tree,
    opt_state: Tree,
    n_devices: int = 1,
) -> Memory:
    """Trees of arrays or of their shapes; `length` is a batch's, in tokens a row. Computes nothing."""
    batch, micro_batches = config.train.batch_size // n_devices, config.train.gradient_accumulation_steps
    itemsize = jnp.dtype(dtype).itemsize
    kept, work = _layer_bytes(arch, batch, length, itemsize, config.train.remat)
    chunk = min(batch * length * arch.vocab_size, max(CHUNK_ELEMENTS, batch * arch.vocab_size))
    gathered = (tree_bytes((trainable, frozen), whole=True) - tree_bytes((trainable, frozen))) // arch.layers
    return Memory(
        shape=(batch, length),
        weights=tree_bytes((trainable, frozen)),
        optimizer=tree_bytes(opt_state),
        gradients=tree_bytes(trainable) * (2 if micro_batches > 1 else 1),
        activations=arch.layers * kept + work + gathered,
        loss=int(LOGITS * chunk * 4),
    )


# How many arrays of a size there are at once in a layer's forward and backward pass, and of a chunk of logits.
# Fitted to float32 on the CPU backend.
OF_HIDDEN, OF_HEADS, OF_MLP, OF_SCORES, LOGITS = 16, 6, 6, 3, 1.5


def _layer_bytes(arch: Architecture, batch: int, length: int, itemsize: int, remat: str) -> tuple[int, int]:
    """(kept of each layer until the backward pass, held while one layer is worked on)"""
    tokens, hidden = batch * length, arch.hidden_size
    heads, keys = arch.heads * arch.head_dim, arch.kv_heads * arch.head_dim
    wide = OF_HIDDEN * hidden + OF_HEADS * (heads + keys) + OF_MLP * arch.mlp_size
    scores = OF_SCORES * tokens * arch.heads * length * 4  # float32 whatever the rest is in
    work = tokens * wide * itemsize + scores
    kept = {
        "none": 3 * hidden + 2 * heads + 2 * keys + 2 * arch.mlp_size,
        "dots": 3 * hidden + heads + 2 * keys + 2 * arch.mlp_size,
        "full": hidden,
    }
    return tokens * kept[remat] * itemsize, work


def of_compiled(memory: Memory, compiled: Any) -> Memory:
    """With what the backend says of the compiled step; as it is where the backend says nothing."""
    found = compiled.memory_analysis()
    if found is None:
        return memory
    extra = found.output_size_in_bytes - found.alias_size_in_bytes  # what is donated is no second copy
    return Memory(**{**vars(memory), "compiled": int(found.temp_size_in_bytes + max(extra, 0))})


def device_bytes(config: RunConfig) -> int | None:
    """What there is on each device: `device.memory_gb`, else what the backend says; None where neither does."""
    if config.device.memory_gb is not None:
        return int(config.device.memory_gb * GB)
    found = jax.local_devices()[0].memory_stats() or {}
    return found.get("bytes_limit")


def check_fits(memory: Memory, config: RunConfig) -> None:
    """Raises RunFailed, `infeasible`, when the device cannot hold a step; it says what would need less.

    An estimate refuses nothing that it only guesses: before the step is compiled, weights, optimizer state and
    gradients alone have to be too much.
    """
    available = device_bytes(config)
    sure = memory.total if memory.compiled is not None else memory.weights + memory.optimizer + memory.gradients
    if available is not None and sure > available:
        reason = f"a training step needs {memory}, the device has {gb(available)}; try {' or '.join(fixes(config))}"
        raise RunFailed(State.INFEASIBLE, reason)


def fixes(config: RunConfig) -> list[str]:
    """Three changes that need less memory, the gentlest first; the first three that this config has not made yet."""
    batch, steps = config.train.batch_size, config.train.gradient_accumulation_steps
    halved = f"--set train.batch_size={batch // 2} --set train.gradient_accumulation_steps={steps * 2}"
    shorter = max(8, config.data.max_seq_len // 2)
    rank = max(1, config.lora.rank // 2)
    here = jax.device_count()
    candidates = [
        (here > 1 and config.device.fsdp != here and batch % here == 0, f"--set device.fsdp={here}"),
        (config.train.remat != "full", "--set train.remat=full"),
        (batch > 1, halved),  # the same examples a step
        (not config.lora.enabled, "--set lora.enabled=true"),
        (config.lora.enabled and config.model.base_dtype != "int8", "--set model.base_dtype=int8"),
        (config.train.optimizer != "adafactor", "--set train.optimizer=adafactor"),
        (config.data.max_seq_len > shorter, f"--set data.max_seq_len={shorter}"),
        (config.lora.enabled and config.lora.rank > rank, f"--set lora.rank={rank}"),
        (jnp.dtype(compute_dtype(config.train.dtype)).itemsize > 2, "--set train.dtype=bfloat16"),
    ]
    return [text for applies, text in candidates if applies][:3]


@dataclass(frozen=True)
class DecodingMemory:
    """Bytes on the device while answers are written."""

    weights: int
    copies: int  # of the weights, where decoding makes them
    cache: int  # keys and values of every row
    logits: int  # of every row, float32

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {gb(size)}" for name, size in vars(self).items() if size)
        return f"{gb(sum(vars(self).values()))} ({parts}; estimated)"


def decoding_fixes(config: RunConfig) -> list[str]:
    """As `fixes`, for prediction; `podium predict` takes them as well."""
    generate = config.generate
    names = ("batch_size", "max_new_tokens", "max_prompt_tokens")
    halves = {name: getattr(generate, name) // 2 for name in names}
    return [f"--set generate.{name}={half}" for name, half in halves.items() if half]


def tree_bytes(tree: Tree, whole: bool = False) -> int:
    """Of arrays or of their shapes, on each device; `whole` counts what is divided over devices as one."""

    def size(leaf: Any) -> int:
        sharding = None if whole else getattr(leaf, "sharding", None)
        return math.prod(leaf.shape if sharding is None else sharding.shard_shape(leaf.shape))

    return sum(size(leaf) * jnp.dtype(leaf.dtype).itemsize for leaf in jax.tree.leaves(tree))


def gb(size: int) -> str:
    return f"{size / GB:.3g} GB" if size >= GB / 100 else f"{size / 1e6:.3g} MB"
