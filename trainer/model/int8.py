"""Symmetric int8 quantisation of a frozen base's kernels, with one scale per output channel.

A row is stored as integers from -127 to 127 and a scale: its largest magnitude over 127. The error of a value is at
most half a step: 1/254 of the largest magnitude of its row (Dettmers et al. 2022, arXiv 2208.07339, section 2).
"""

import jax.numpy as jnp
from flax import nnx
from jax import Array

LARGEST = 127


def quantise(kernel: Array) -> tuple[Array, Array]:
    """Quantise (..., out, in) to int8 of the same shape and scales (..., out) float32."""
    wide = kernel.astype(jnp.float32)
    scale = jnp.max(jnp.abs(wide), axis=-1) / LARGEST
    steps = wide / jnp.where(scale > 0, scale, 1.0)[..., None]  # a row of zeros stays zero
    return jnp.round(steps).astype(jnp.int8), scale


def dequantise(kernel: Array, scale: Array) -> Array:
    """The inverse of `quantise`, in float32."""
    return kernel.astype(jnp.float32) * scale[..., None]


def matmul(x: Array, kernel: Array, scale: Array) -> Array:
    """x W^T in the dtype of x, without a dequantised kernel. The integers are exact in bfloat16, too.

    x: (..., in); kernel: (out, in) int8; scale: (out,). Returns (..., out).
    """
    y = jnp.matmul(x, kernel.astype(x.dtype).T, preferred_element_type=jnp.float32)
    return (y * scale).astype(x.dtype)


def quantise_state(params: nnx.State) -> nnx.State:
    """A decoder's `nnx.Param` state with its layers' kernels as int8, each with a variable `scale`."""
    flat = dict(nnx.to_flat_state(params))
    for path, variable in list(flat.items()):
        if path[-1] == "kernel":
            kernel, scale = quantise(variable[...])
            flat[path] = variable.replace(kernel)
            flat[*path[:-1], "scale"] = nnx.Param(scale)
    return nnx.from_flat_state(flat.items())
