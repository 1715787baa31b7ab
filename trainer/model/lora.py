"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685) of a frozen kernel, and their variants."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.ad_checkpoint import checkpoint_name

from podium.core.config_sections import LoraConfig
from trainer.model.int8 import dequantise


class LoraParam(nnx.Variable):
    """The only variables that LoRA trains. Not an `nnx.Param`, so that a filter separates them from the frozen base."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Dropout:
    """Dropout (Srivastava et al. 2014) of the inputs of adapters. The mask depends on `key` and the layer only."""

    rate: Array | float  # scalar
    key: Array

    def kept(self, layer: Array | int, shape: tuple[int, ...]) -> Array:
        """One layer's mask (batch, seq, width) for its widest projection. All projections share it, because a mask for
        each would take a third of the compile time of a step.
        """
        return jax.random.bernoulli(jax.random.fold_in(self.key, layer), 1 - self.rate, shape)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LoraInputs:
    """The inputs of the program that a layer's adapters read."""

    alpha: Array | float  # scalar
    rate: Array | float = 0.0  # dropout rate, scalar
    kept: Array | None = None  # (batch, seq, width), True for inputs that are not dropped; None without dropout


class Lora(nnx.Module):
    """The update scale * B A of a kernel (out, in). A starts at random values and B at zero, so that training starts
    from the base model.

    The scale is alpha / rank, or alpha / sqrt(rank) with rsLoRA (Kalajdzievski 2023, arXiv 2312.03732). With DoRA (Liu
    et al. 2024, arXiv 2402.09353) each row of the updated kernel is scaled to a trained norm: the norm of the base's
    row, plus `magnitude`. Adapters are always float32, because the updates are too small for bfloat16's 8 bits.
    """

    def __init__(self, inputs: int, outputs: int, config: LoraConfig) -> None:
        self.rslora = config.rslora
        self.a = LoraParam(jnp.zeros((config.rank, inputs), jnp.float32))
        self.b = LoraParam(jnp.zeros((outputs, config.rank), jnp.float32))
        self.magnitude = LoraParam(jnp.zeros((outputs,), jnp.float32)) if config.dora else None

    def __call__(self, x: Array, y: Array, kernel: Array, given: LoraInputs) -> Array:
        """Apply the adapter to `y` = x W^T of the base. x: (..., in); y: (..., out); kernel: (out, in)."""
        a, b = self.a[...], self.b[...]
        scale = _scale(given.alpha, a.shape[0], self.rslora)
        if given.kept is not None:
            x = jnp.where(given.kept[..., : x.shape[-1]], x / jnp.asarray(1 - given.rate, x.dtype), 0)
        narrow = checkpoint_name(x @ a.astype(x.dtype).T * jnp.asarray(scale, x.dtype), "adapter")  # (..., rank)
        y = y + _widen(narrow, b.astype(x.dtype))
        if self.magnitude is None:
            return y
        return y * _gain(kernel, a, b, self.magnitude[...], scale).astype(y.dtype)


@jax.custom_vjp
def _widen(x: Array, b: Array) -> Array:
    """x B^T, with a gradient of B that does not transpose the wide gradient of the product. JAX's own transposes it,
    which takes longer than the product on a CPU. x: (..., rank); b: (out, rank). Returns (..., out).
    """
    return x @ b.T


def _widen_forward(x: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
    return _widen(x, b), (x, b)


def _widen_backward(inputs: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, b = inputs
    of_b = x.reshape(-1, x.shape[-1]).T @ gradient.reshape(-1, gradient.shape[-1])  # (rank, out)
    return gradient @ b, of_b.T


_widen.defvjp(_widen_forward, _widen_backward)


def merge(params: nnx.State, adapters: nnx.State, lora: LoraConfig) -> nnx.State:
    """`params` with the adapters' updates added to the kernels: the same model without adapters and without int8.

    Computed in float32 and rounded once to the dtype of the embedding.
    """
    merged, updates = dict(nnx.to_flat_state(params)), dict(nnx.to_flat_state(adapters))
    dtype = merged["embedding",].dtype
    for path, variable in list(merged.items()):
        if path[-1] != "kernel":
            continue
        scale, adapter = merged.pop((*path[:-1], "scale"), None), (*path[:-1], "lora")
        wide = variable[...] if scale is None else dequantise(variable[...], scale[...])  # (layers, out, in)
        if (*adapter, "a") in updates:
            parts = [updates[*adapter, name][...] for name in ("a", "b", "magnitude") if (*adapter, name) in updates]
            wide = jax.vmap(lambda *arrays: _merged(*arrays, lora=lora))(wide.astype(jnp.float32), *parts)
        merged[path] = variable.replace(wide.astype(dtype))
    return nnx.from_flat_state(merged.items())


def _merged(kernel: Array, a: Array, b: Array, magnitude: Array | None = None, *, lora: LoraConfig) -> Array:
    """kernel: (out, in) float32; a: (rank, in); b: (out, rank); magnitude: (out,)"""
    scale = _scale(lora.alpha, a.shape[0], lora.rslora)
    gain = 1.0 if magnitude is None else _gain(kernel, a, b, magnitude, scale)[:, None]
    return (kernel + (b @ a) * scale) * gain


def _scale(alpha: Array | float, rank: int, rslora: bool) -> Array | float:
    return alpha / rank ** (0.5 if rslora else 1.0)


def _gain(kernel: Array, a: Array, b: Array, magnitude: Array, scale: Array | float) -> Array:
    """DoRA's factor for each row of W + scale * B A, which gives the row its trained norm: (out,) float32.

    The norms are computed without W + scale * B A itself. The gradient treats the updated norm as a constant (section
    4.3 of the paper).
    """
    wide = jax.lax.stop_gradient(kernel).astype(jnp.float32)
    a, b, scale = jax.lax.stop_gradient(a), jax.lax.stop_gradient(b), jax.lax.stop_gradient(scale)
    of_base = jnp.sum(wide * wide, axis=-1)  # squared, (out,)
    cross = jnp.sum((wide @ a.T) * b, axis=-1)
    of_update = jnp.sum((b @ (a @ a.T)) * b, axis=-1)
    updated = of_base + 2 * scale * cross + scale**2 * of_update
    tiny = jnp.finfo(jnp.float32).tiny  # a row of zeros stays zero
    return (jnp.sqrt(of_base) + magnitude) * jax.lax.rsqrt(jnp.maximum(updated, tiny))
