"""Samples the next token from logits: greedily, or with temperature, top-k and top-p."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from podium.core.hashing import sha256_bytes


def item_key(seed: int, item: str, sample: int) -> np.ndarray:
    """The random key of one sample of an item, independent of what else is decoded. (2,) uint32"""
    digest = bytes.fromhex(sha256_bytes(f"{seed}:{sample}:{item}".encode()))
    return np.frombuffer(digest[:8], np.uint32)


def next_tokens(scores: Array, hp: Mapping[str, Array], keys: Array, n: Array) -> Array:
    """The n-th new token of each row.

    scores: (batch, vocab) float32; keys: (batch, 2) uint32; n: (batch,) int32. Returns (batch,) int32. At run time, a
    temperature of 0 skips random numbers and sorting.
    """

    def sampled() -> Array:
        scaled = scores / hp["generate.temperature"]
        is_limited = (hp["generate.top_k"] > 0) | (hp["generate.top_p"] < 1)
        scaled = jax.lax.cond(is_limited, lambda: _top_k_top_p(scaled, hp), lambda: scaled)
        return _argmax(scaled + jax.vmap(_gumbel, (0, 0, None))(keys, n, scores.shape[1]))

    return jax.lax.cond(hp["generate.temperature"] > 0, sampled, lambda: _argmax(scores))


def _argmax(scores: Array) -> Array:
    """The index of the largest score of each row, the first of equal ones. (batch, vocab) -> (batch,) int32

    On the CPU, two plain reductions take a sixth of the time of jnp.argmax, which compares pairs of value and index.
    """
    vocab = scores.shape[-1]
    is_largest = scores == jnp.max(scores, axis=-1, keepdims=True)
    return jnp.min(jnp.where(is_largest, jnp.arange(vocab), vocab - 1), axis=-1)


def _gumbel(key: Array, n: Array, vocab: int) -> Array:
    """Gumbel noise (vocab,): the argmax of logits plus this noise is a sample from their softmax."""
    return jax.random.gumbel(jax.random.fold_in(jax.random.wrap_key_data(key, impl="threefry2x32"), n), (vocab,))


def _top_k_top_p(scores: Array, hp: Mapping[str, Array]) -> Array:
    """Keep the k largest scores, and of these the fewest whose probabilities reach p (Holtzman et al. 2020, arXiv
    1904.09751). The others become -inf."""
    descending = -jnp.sort(-scores, axis=-1)  # (batch, vocab)
    ranks = jnp.arange(scores.shape[1])
    best = jnp.where((hp["generate.top_k"] == 0) | (ranks < hp["generate.top_k"]), descending, -jnp.inf)
    shares = jax.nn.softmax(best, axis=-1)
    reached = jnp.cumsum(shares, axis=-1) - shares  # by the scores before it, so the first one always stays
    kept = (reached < hp["generate.top_p"]) & (best > -jnp.inf)
    least = jnp.min(jnp.where(kept, descending, jnp.inf), axis=-1, keepdims=True)
    return jnp.where(scores >= least, scores, -jnp.inf)
