"""Cross-entropy over the vocabulary that never holds the logits of all tokens at once."""

import jax
import jax.numpy as jnp
from jax import Array

from trainer.attention import softcap as _softcap

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

    Works through the tokens in chunks of `chunk_elements / vocab` and recomputes each chunk's logits in the backward
    pass, so memory grows with the chunk and not with tokens x vocab. A token of weight 0 is ignored whatever it holds.
    hidden: (..., hidden); head: (vocab, hidden); targets, weights: (...); label_smoothing: scalar (Szegedy et al. 2015,
    arXiv 1512.00567).
    """
    tokens = targets.size
    chunk = max(1, min(tokens, chunk_elements // head.shape[0]))
    chunks = -(-tokens // chunk)

    def split(x: Array) -> Array:  # (chunks, chunk, ...), the last one filled up with zeros, so with weight 0
        flat = x.reshape(tokens, *x.shape[targets.ndim :])
        flat = jnp.pad(flat, ((0, chunks * chunk - tokens), *((0, 0),) * (flat.ndim - 1)))
        return flat.reshape(chunks, chunk, *flat.shape[1:])

    @jax.checkpoint
    def one_chunk(total: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, None]:
        losses = _losses(logits(inputs[0], head, softcap), inputs[1], label_smoothing)  # (chunk,)
        return total + jnp.sum(jnp.where(inputs[2] > 0, losses * inputs[2], 0.0)), None

    weights = weights.astype(jnp.float32)
    total, _ = jax.lax.scan(one_chunk, jnp.zeros((), jnp.float32), (split(hidden), split(targets), split(weights)))
    return total, jnp.sum(weights)


def _losses(scores: Array, targets: Array, label_smoothing: Array | float) -> Array:
    """Loss of each token. scores: (tokens, vocab) float32; targets: (tokens,)."""
    log_total = jax.nn.logsumexp(scores, axis=-1)
    of_target = jnp.take_along_axis(scores, targets[:, None], axis=-1)[:, 0]
    return log_total - (1 - label_smoothing) * of_target - label_smoothing * jnp.mean(scores, axis=-1)
