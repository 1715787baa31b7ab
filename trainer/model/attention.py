"""Attention with rotary positions, masks for padding, packing and sliding windows, and a fixed-length KV cache."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax import Array

NO_WINDOW = jnp.iinfo(jnp.int32).max


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class KVCache:
    """Keys and values of every layer for the tokens so far, in buffers of fixed length.

    A slot with segment 0 is empty, and nothing attends to it. `index` is the slot that the next token is written to.
    """

    key: Array  # (layers, batch, length, kv_heads, head_dim)
    value: Array  # (layers, batch, length, kv_heads, head_dim)
    positions: Array  # (batch, length) int32
    segment_ids: Array  # (batch, length) int32
    index: Array  # () int32

    def with_tokens(self, positions: Array, segment_ids: Array) -> "KVCache":
        """Set positions and segments of the new tokens. The caller advances `index` after the last layer."""
        start = (0, self.index)
        return replace(
            self,
            positions=jax.lax.dynamic_update_slice(self.positions, positions, start),
            segment_ids=jax.lax.dynamic_update_slice(self.segment_ids, segment_ids, start),
        )

    def with_layer(self, layer: Array, key: Array, value: Array) -> "KVCache":
        """Write one layer's keys and values of the new tokens, both (batch, seq, kv_heads, head_dim)."""
        start = (layer, 0, self.index, 0, 0)
        return replace(
            self,
            key=jax.lax.dynamic_update_slice(self.key, key[None].astype(self.key.dtype), start),
            value=jax.lax.dynamic_update_slice(self.value, value[None].astype(self.value.dtype), start),
        )

    def layer(self, layer: Array) -> tuple[Array, Array]:
        """Keys and values of one layer, each (batch, length, kv_heads, head_dim)."""
        return (
            jax.lax.dynamic_index_in_dim(self.key, layer, keepdims=False),
            jax.lax.dynamic_index_in_dim(self.value, layer, keepdims=False),
        )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RowCache:
    """A cache whose rows have different lengths; one token per row is added at a time.

    Each layer has its own arrays, because the CPU backend would copy a layer's part of a stack before reading it. Their
    layout makes the products with a single query fastest on the CPU. A layer with a sliding window has only that many
    slots, used as a ring buffer: the n-th token of a row is in slot n modulo their number.
    """

    key: tuple[Array, ...]  # each (batch, kv_heads, head_dim, slots)
    value: tuple[Array, ...]  # each (batch, kv_heads, slots, head_dim)
    index: Array  # (batch,) int32

    def distances(self, layer: int, positions: Array) -> Array:
        """The distance from the new token back to the token in each slot, as the function `distances` returns it.

        positions: (batch, 1), the number of earlier tokens in the row. Returns (batch, 1, slots).
        """
        slots = self.value[layer].shape[2]
        back = (self.index[:, None] - jnp.arange(slots)) % slots
        return jnp.where(back <= positions, back, NO_WINDOW)[
            :, None
        ]  # beyond are padding and the tokens of an earlier prompt

    def with_layer(self, layer: int, key: Array, value: Array) -> "RowCache":
        """Write one layer's key and value of the new token, both (batch, 1, kv_heads, head_dim)."""
        keys, values, rows = list(self.key), list(self.value), jnp.arange(len(self.index))
        new_key, new_value = key[:, 0].astype(keys[layer].dtype), value[:, 0].astype(values[layer].dtype)
        slot = self.index % values[layer].shape[2]
        keys[layer] = keys[layer].at[rows, :, :, slot].set(new_key)
        values[layer] = values[layer].at[rows, :, slot].set(new_value)
        return replace(self, key=tuple(keys), value=tuple(values))

    def layer(self, layer: int) -> tuple[Array, Array]:
        """Keys and values of one layer, in the layout of this cache."""
        return self.key[layer], self.value[layer]


def rotations(positions: Array, frequencies: Array) -> Array:
    """Cosines and sines of rotary position embedding, float32.

    positions: (batch, seq); frequencies: (kinds, head_dim / 2). Returns (kinds, 2, batch, seq, 1, head_dim / 2).
    """
    angles = positions[None, :, :, None, None].astype(jnp.float32) * frequencies[:, None, None, None]
    return jnp.stack((jnp.cos(angles), jnp.sin(angles)), axis=1)


def rotate(x: Array, rotation: Array) -> Array:
    """Rotate `x` in float32, pairing its first half with its second half, as Hugging Face checkpoints expect.

    x: (batch, seq, heads, head_dim); rotation: (2, batch, seq, 1, head_dim / 2), one kind from `rotations`.
    """
    cos, sin = rotation
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    return jnp.concatenate((first * cos - second * sin, second * cos + first * sin), axis=-1).astype(x.dtype)


def distances(positions: Array, segment_ids: Array, key_positions: Array, key_segment_ids: Array) -> Array:
    """The distance from each query back to each key; `NO_WINDOW` for keys in the future, another segment or padding.

    One array serves every layer: a layer attends to keys nearer than its window.
    (batch, queries) and (batch, keys) give (batch, queries, keys), int32.
    """
    back = positions[:, :, None] - key_positions[:, None, :]
    same = (segment_ids[:, :, None] == key_segment_ids[:, None, :]) & (key_segment_ids[:, None, :] != 0)
    return jnp.where(same & (back >= 0), back, NO_WINDOW)


def attend(
    query: Array, key: Array, value: Array, distance: Array, window: Array, scale: float, cap: float | None
) -> Array:
    """Grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245); scores and softmax in float32.

    query: (batch, queries, heads, head_dim); key, value: (batch, keys, kv_heads, head_dim)
    distance: (batch, queries, keys); window: () int32. Returns (batch, queries, heads, head_dim).
    """
    batch, queries, heads, head_dim = query.shape
    groups = query.reshape(batch, queries, key.shape[2], -1, head_dim)  # (batch, queries, kv_heads, groups, head_dim)
    scores = jnp.einsum("bqngd,bknd->bngqk", groups, key, preferred_element_type=jnp.float32) * scale
    weights = _weights(scores, (distance < window)[:, None, None], cap).astype(value.dtype)
    return jnp.einsum("bngqk,bknd->bqngd", weights, value).reshape(batch, queries, heads, head_dim)


def attend_single_query(
    query: Array, key: Array, value: Array, distance: Array, window: Array, scale: float, cap: float | None
) -> Array:
    """As `attend`, for a single query per row, with keys and values in the layout of a `RowCache`.

    query: (batch, 1, heads, head_dim); distance: (batch, 1, keys). Returns (batch, 1, heads, head_dim).
    """
    batch, _, heads, head_dim = query.shape
    groups = query.reshape(batch, key.shape[1], -1, head_dim)  # (batch, kv_heads, groups, head_dim)
    scores = jnp.einsum("bngd,bndk->bngk", groups, key, preferred_element_type=jnp.float32) * scale
    weights = _weights(scores, (distance < window)[:, None], cap).astype(value.dtype)
    return jnp.einsum("bngk,bnkd->bngd", weights, value).reshape(batch, 1, heads, head_dim)


def _weights(scores: Array, sees: Array, cap: float | None) -> Array:
    """Softmax over the last axis, the keys, restricted to the keys that each query attends to."""
    if cap is not None:
        scores = softcap(scores, cap)
    # A finite floor, so that a padding row, which attends to nothing, gives numbers instead of NaN.
    return jax.nn.softmax(jnp.where(sees, scores, jnp.finfo(jnp.float32).min), axis=-1)


def softcap(x: Array, cap: float) -> Array:
    """Squash x smoothly into (-cap, cap) (Gemma 2, arXiv 2408.00118)."""
    return cap * jnp.tanh(x / cap)
