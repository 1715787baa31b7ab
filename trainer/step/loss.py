"""Cross-entropy over the vocabulary, in chunks, so that the logits of all tokens never exist at once."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from podium.core.budgets.accelerators import of_device_kind
from trainer.device.sharding import mesh_size, shard_rows_over_data
from trainer.model.attention import softcap as _softcap

# The fewest logits per chunk, in float32: 16 MiB. A smaller chunk costs more in overhead than it saves.
CHUNK_ELEMENTS = 2**22
CPU_RIDGE = 128  # more tokens made no product with a head faster on a CPU; fewer made it slower


def chunk_tokens(vocab_size: int, device_kind: str) -> int:
    """The number of tokens whose logits exist at once on a device.

    The head is read once per chunk, so a chunk has enough tokens for the device to compute all the time.
    """
    return max(ridge(device_kind), CHUNK_ELEMENTS // vocab_size)


def ridge(device_kind: str) -> int:
    """The fewest tokens, a multiple of 128, whose product with a matrix the device computes without waiting for memory
    (the ridge point of Williams et al. 2009, doi:10.1145/1498765.1498785)."""
    found = of_device_kind(device_kind)
    if found is None or found.peak_flops is None or found.bandwidth is None:
        return CPU_RIDGE
    return -(-int(found.peak_flops / found.bandwidth) // 128) * 128


def logits(hidden: Array, head: Array, softcap: float | None) -> Array:
    """All logits, for a few tokens. hidden: (..., hidden); head: (vocab, hidden). Returns (..., vocab) float32."""
    scores = _product(hidden, head.astype(hidden.dtype))
    return scores if softcap is None else _softcap(scores, softcap)


@jax.custom_vjp
def _product(hidden: Array, head: Array) -> Array:
    """hidden head^T in float32. hidden: (..., hidden); head: (vocab, hidden), of the same dtype."""
    return jnp.matmul(hidden, head.T, preferred_element_type=jnp.float32)


def _product_forward(hidden: Array, head: Array) -> tuple[Array, tuple[Array, Array]]:
    return _product(hidden, head), (hidden, head)


def _product_backward(inputs: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    """Products in the dtype of the inputs. JAX's own have one float32 operand, for which a GPU keeps a float32 copy of
    the head (1.2 GB for Gemma 3 1B) and leaves its fast units idle. In float16 the loss scale keeps small gradients."""
    hidden, head = inputs
    gradient = gradient.astype(hidden.dtype)
    of_hidden = jnp.matmul(gradient, head, preferred_element_type=jnp.float32)
    of_head = jnp.einsum("...v,...h->vh", gradient, hidden, preferred_element_type=jnp.float32)
    return of_hidden.astype(hidden.dtype), of_head.astype(head.dtype)


_product.defvjp(_product_forward, _product_backward)


def chunked_cross_entropy(
    hidden: Array,
    head: Array,
    targets: Array,
    weights: Array,
    *,
    softcap: float | None,
    label_smoothing: Array | float,
    chunk: int,
) -> tuple[Array, Array]:
    """(sum of weighted losses, sum of weights), both float32 scalars.

    Processes the tokens in chunks of `chunk` per device (or one of each row), and computes their gradient at the same
    time, so memory grows with the chunk and not with tokens x vocab. A token of weight 0 is ignored, whatever its
    logits are: the learned tokens come first, and a chunk without any is skipped.
    hidden: (..., seq, hidden); head: (vocab, hidden); targets, weights: (..., seq); label_smoothing: scalar (Szegedy et
    al. 2015, arXiv 1512.00567).
    """
    if mesh_size() == 1:  # so that tokens of all rows share a chunk; over several devices, each has its own rows
        hidden, targets, weights = hidden.reshape(-1, hidden.shape[-1]), targets.reshape(-1), weights.reshape(-1)
    *_, length = targets.shape
    chunk = max(1, min(length, chunk * mesh_size() * length // targets.size))  # of each row
    chunks = -(-length // chunk)

    def split(x: Array) -> Array:  # (chunks, ..., chunk, ...); the last chunk is padded with zeros, so with weight 0
        axis = targets.ndim - 1
        x = jnp.pad(x, [(0, (chunks * chunk - length) * (n == axis)) for n in range(x.ndim)])
        return jnp.moveaxis(x.reshape(*x.shape[:axis], chunks, chunk, *x.shape[axis + 1 :]), axis, 0)

    if chunks > 1:
        order = jnp.argsort(weights <= 0, axis=-1, stable=True)
        targets, weights = (jnp.take_along_axis(x, order, axis=-1) for x in (targets, weights))
        hidden = _reorder(hidden, order)
    weights = weights.astype(jnp.float32)
    smoothing = jnp.asarray(label_smoothing, jnp.float32)
    total = _total(split(hidden), head, split(targets), split(weights), smoothing, softcap)
    return total, jnp.sum(weights)


@jax.custom_vjp
def _reorder(hidden: Array, order: Array) -> Array:
    """The tokens of each row in this order. hidden: (..., seq, hidden); order: (..., seq), a permutation per row."""
    return jnp.take_along_axis(hidden, order[..., None], axis=-2)


def _reorder_forward(hidden: Array, order: Array) -> tuple[Array, Array]:
    return _reorder(hidden, order), order


def _reorder_backward(order: Array, gradient: Array) -> tuple[Array, None]:
    """The inverse permutation. JAX's own gradient is a scatter, which a CPU computes on one core."""
    return jnp.take_along_axis(gradient, jnp.argsort(order, axis=-1)[..., None], axis=-2), None


_reorder.defvjp(_reorder_forward, _reorder_backward)


@partial(jax.custom_vjp, nondiff_argnums=(5,))
def _total(
    hidden: Array, head: Array, targets: Array, weights: Array, label_smoothing: Array, softcap: float | None
) -> Array:
    """Sum of weighted losses, chunk by chunk. hidden: (chunks, ..., chunk, hidden); targets, weights without hidden.

    Differentiable in `hidden` and `head`. Their gradients are computed with the loss, so that the backward pass needs
    no logits: recomputing them would take a sixth of a small model's step.
    """

    def one_chunk(total: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, None]:
        def learned() -> Array:
            return total + _chunk_loss(inputs[0], head, *inputs[1:], label_smoothing, softcap)

        return jax.lax.cond(jnp.any(inputs[2] > 0), learned, lambda: total), None

    return jax.lax.scan(one_chunk, jnp.zeros((), jnp.float32), (hidden, targets, weights))[0]


def _total_forward(
    hidden: Any, head: Any, targets: Any, weights: Any, label_smoothing: Any, softcap: float | None
) -> tuple[Array, tuple[Array, Array | None]]:
    """The total and its gradients; the gradient of the head only if the head is trained."""
    trains_head = head.perturbed

    def one_chunk(sums: tuple[Array, Any], inputs: tuple[Array, Array, Array]) -> tuple[tuple[Array, Any], Array]:
        def learned() -> tuple[Any, Array]:
            gradient = jax.value_and_grad(_chunk_loss, (0, 1) if trains_head else (0,))
            loss, (of_hidden, *of_head) = gradient(inputs[0], head.value, *inputs[1:], label_smoothing.value, softcap)
            return jax.tree.map(jnp.add, sums, (loss, of_head)), of_hidden

        return jax.lax.cond(jnp.any(inputs[2] > 0), learned, lambda: (sums, jnp.zeros_like(inputs[0])))

    zeros = jnp.zeros((), jnp.float32), [jnp.zeros_like(head.value)] * trains_head
    inputs = hidden.value, targets.value, weights.value
    (total, of_head), of_hidden = jax.lax.scan(one_chunk, zeros, inputs)
    return total, (of_hidden, of_head[0] if trains_head else None)


def _total_backward(_: float | None, gradients: tuple[Array, Array | None], factor: Array) -> tuple[Array | None, ...]:
    of_hidden, of_head = ((x * factor).astype(x.dtype) if x is not None else None for x in gradients)
    return of_hidden, of_head, None, None, None


_total.defvjp(_total_forward, _total_backward, symbolic_zeros=True)


def _chunk_loss(
    hidden: Array, head: Array, targets: Array, weights: Array, label_smoothing: Array, softcap: float | None
) -> Array:
    """Sum of weighted losses: the cross-entropy with the smoothed distribution. hidden: (..., chunk, hidden)"""
    hidden, targets, weights = map(shard_rows_over_data, (hidden, targets, weights))
    scores = logits(hidden, head, softcap)  # (..., chunk, vocab)
    losses = _losses(scores, targets, label_smoothing)  # (..., chunk)
    return jnp.sum(jnp.where(weights > 0, losses * weights, 0.0))


@jax.custom_vjp
def _losses(scores: Array, targets: Array, label_smoothing: Array) -> Array:
    """Loss of each token. scores: (..., vocab) float32; targets: (...)."""
    return _losses_forward(scores, targets, label_smoothing)[0]


def _losses_forward(scores: Array, targets: Array, label_smoothing: Array) -> tuple[Array, tuple[Array, ...]]:
    log_total = jax.nn.logsumexp(scores, axis=-1)
    of_target = jnp.take_along_axis(scores, targets[..., None], axis=-1)[..., 0]
    losses = log_total - (1 - label_smoothing) * of_target - label_smoothing * jnp.mean(scores, axis=-1)
    return losses, (scores, log_total, targets, label_smoothing)


def _losses_backward(inputs: tuple[Array, ...], gradient: Array) -> tuple[Array, None, None]:
    """The gradient in one pass. JAX's own gradient scatters the target's part into an array as large as the scores."""
    scores, log_total, targets, label_smoothing = inputs
    vocab = scores.shape[-1]
    is_target = jnp.arange(vocab) == targets[..., None]
    wanted = label_smoothing / vocab + jnp.where(is_target, 1 - label_smoothing, 0.0)
    return gradient[..., None] * (jnp.exp(scores - log_total[..., None]) - wanted), None, None


_losses.defvjp(_losses_forward, _losses_backward)
