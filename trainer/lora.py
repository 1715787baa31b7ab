"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685): two small arrays beside a frozen kernel."""

import jax.numpy as jnp
from flax import nnx
from jax import Array


class LoraParam(nnx.Variable):
    """The only variables that LoRA trains; not an `nnx.Param`, so that a filter tells them from the frozen base."""


class Lora(nnx.Module):
    """The update alpha / rank * B A of a kernel (out, in). The decoder draws A; B starts at zero, so that at first the
    model is the base model.

    Kept in float32 whatever the base is in: the updates are too small for bfloat16's 8 bits.
    """

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        self.a = LoraParam(jnp.zeros((rank, inputs), jnp.float32))
        self.b = LoraParam(jnp.zeros((outputs, rank), jnp.float32))

    def __call__(self, x: Array, alpha: Array | float) -> Array:
        """x: (..., in), alpha: scalar. Returns (..., out) in the dtype of x."""
        scale = jnp.asarray(alpha / self.a.shape[0], x.dtype)
        return (x @ self.a[...].astype(x.dtype).T * scale) @ self.b[...].astype(x.dtype).T


def merge(params: nnx.State, adapters: nnx.State, alpha: float) -> nnx.State:
    """`params` with the adapters' updates added to their kernels: the same model without adapters.

    Added in float32 and rounded once to the dtype of the kernel.
    """
    merged = dict(nnx.to_flat_state(params))
    updates = dict(nnx.to_flat_state(adapters))
    for *module, leaf in updates:
        if leaf == "a":
            a, b = updates[(*module, "a")][...], updates[(*module, "b")][...]  # (layers, rank, in), (layers, out, rank)
            kernel = merged[(*module[:-1], "kernel")]
            update = (b @ a) * (alpha / a.shape[1])  # (layers, out, in)
            wide = kernel[...].astype(jnp.float32) + update
            merged[(*module[:-1], "kernel")] = kernel.replace(wide.astype(kernel[...].dtype))
    return nnx.from_flat_state(merged.items())
