"""The next token from its scores: the likeliest, or one drawn by temperature, top-k and top-p."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from podium.core.hashing import sha256_bytes


def item_key(seed: int, item: str, sample: int) -> np.ndarray:
    """The random key of one of an item's samples: whatever else is decoded beside it, it draws the same. (2,) uint32"""
    digest = bytes.fromhex(sha256_bytes(f"{seed}:{sample}:{item}".encode()))
    return np.frombuffer(digest[:8], np.uint32)


def next_tokens(scores: Array, hp: Mapping[str, Array], keys: Array, n: Array) -> Array:
    """The n-th new token of each row.

    scores: (batch, vocab) float32; keys: (batch, 2) uint32; n: (batch,) int32. Returns (batch,) int32. Only the work
    that the traced settings ask for is done: a temperature of 0 draws and sorts nothing.
    """

    def drawn() -> Array:
        scaled = scores / hp["generate.temperature"]
        is_limited = (hp["generate.top_k"] > 0) | (hp["generate.top_p"] < 1)
        scaled = jax.lax.cond(is_limited, lambda: _limited(scaled, hp), lambda: scaled)
        return _largest(scaled + jax.vmap(_noise, (0, 0, None))(keys, n, scores.shape[1]))

    return jax.lax.cond(hp["generate.temperature"] > 0, drawn, lambda: _largest(scores))


def _largest(scores: Array) -> Array:
    """Where the largest of each row is, the first of equals: (batch, vocab) gives (batch,) int32.

    On the CPU two plain reductions take a sixth of the time of argmax, which compares pairs of value and place.
    """
    vocab = scores.shape[-1]
    is_largest = scores == jnp.max(scores, axis=-1, keepdims=True)
    return jnp.min(jnp.where(is_largest, jnp.arange(vocab), vocab - 1), axis=-1)


def _noise(key: Array, n: Array, vocab: int) -> Array:
    """Gumbel noise (vocab,): the largest of scores plus this is a draw from their softmax."""
    return jax.random.gumbel(jax.random.fold_in(jax.random.wrap_key_data(key, impl="threefry2x32"), n), (vocab,))


def _limited(scores: Array, hp: Mapping[str, Array]) -> Array:
    """The k best, and of these the fewest whose probabilities reach p (Holtzman et al. 2020, arXiv 1904.09751)."""
    falling = -jnp.sort(-scores, axis=-1)  # (batch, vocab)
    ranks = jnp.arange(scores.shape[1])
    best = jnp.where((hp["generate.top_k"] == 0) | (ranks < hp["generate.top_k"]), falling, -jnp.inf)
    shares = jax.nn.softmax(best, axis=-1)
    reached = jnp.cumsum(shares, axis=-1) - shares  # by those before it, so the first always stays
    kept = (reached < hp["generate.top_p"]) & (best > -jnp.inf)
    least = jnp.min(jnp.where(kept, falling, jnp.inf), axis=-1, keepdims=True)
    return jnp.where(scores >= least, scores, -jnp.inf)
