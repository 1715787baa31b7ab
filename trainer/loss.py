"""Cross-entropy over the vocabulary that never holds the logits of all tokens at once."""

import jax
import jax.numpy as jnp
from jax import Array

from trainer.attention import softcap as _softcap
from trainer.sharding import n_meshed, rows_over_data

# Logits held at once, in float32: 128 MiB. With a vocabulary of 262,144 that is 128 tokens a chunk.
CHUNK_ELEMENTS = 2**25


def logits(hidden: Array, head: Array, softcap: float | None) -> Array:
    """All logits in float32, for few tokens. hidden: (..., hidden); head: (vocab, hidden). Returns (..., vocab)."""
    scores = jnp.matmul(hidden, head.astype(hidden.dtype).T, preferred_element_type=jnp.float32)
    return scores if softcap is None else _softcap(scores, softcap)


def chunked_cross_entropy(
    hidden: Array,
    head: Array,
    targets: Array,
    weights: Array,
    *,
    softcap: float | None,
    label_smoothing: Array | float,
    chunk_elements: int = CHUNK_ELEMENTS,
) -> tuple[Array, Array]:
    """(sum of weighted losses, sum of weights), both float32 scalars.

    Works through the sequence in parts whose logits are at most `chunk_elements` on a device (or one token of each row)
    and recomputes them in the backward pass, so memory grows with the part and not with tokens x vocab. A token of
    weight 0 is ignored whatever it holds.
    hidden: (..., seq, hidden); head: (vocab, hidden); targets, weights: (..., seq); label_smoothing: scalar (Szegedy et
    al. 2015, arXiv 1512.00567).
    """
    *_, length = targets.shape
    of_token = targets.size // length * head.shape[0]  # logits, one token of each row
    part = max(1, min(length, chunk_elements * n_meshed() // of_token))
    parts = -(-length // part)

    def split(x: Array) -> Array:  # (parts, ..., part, ...), the last one filled up with zeros, so with weight 0
        axis = targets.ndim - 1
        x = jnp.pad(x, [(0, (parts * part - length) * (n == axis)) for n in range(x.ndim)])
        return jnp.moveaxis(x.reshape(*x.shape[:axis], parts, part, *x.shape[axis + 1 :]), axis, 0)

    @jax.checkpoint
    def one_part(total: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, None]:
        hidden, targets, weights = map(rows_over_data, inputs)
        losses = _losses(logits(hidden, head, softcap), targets, label_smoothing)  # (..., part)
        return total + jnp.sum(jnp.where(weights > 0, losses * weights, 0.0)), None

    weights = weights.astype(jnp.float32)
    total, _ = jax.lax.scan(one_part, jnp.zeros((), jnp.float32), (split(hidden), split(targets), split(weights)))
    return total, jnp.sum(weights)


def _losses(scores: Array, targets: Array, label_smoothing: Array | float) -> Array:
    """Loss of each token. scores: (..., vocab) float32; targets: (...)."""
    log_total = jax.nn.logsumexp(scores, axis=-1)
    of_target = jnp.take_along_axis(scores, targets[..., None], axis=-1)[..., 0]
    return log_total - (1 - label_smoothing) * of_target - label_smoothing * jnp.mean(scores, axis=-1)
