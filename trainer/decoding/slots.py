"""Continuous batching on the device: a fixed number of rows, each with its own prompt and part of the KV cache.

When a row has ended, another prompt takes it while the others continue, so a batch does not wait for its longest row.
A row's positions in the cache depend on its own prompt only, so its answer does not depend on the other rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from podium.core.resolved import ResolvedConfig
from trainer.decoding.sampling import next_tokens
from trainer.model.architecture import Architecture
from trainer.model.attention import KVCache, RowCache
from trainer.model.decoder import Decoder
from trainer.step.loss import logits

Tree = Any
Copies = tuple[list[nnx.State], Array]  # see Decoder's `unstacked` and `wide_head`
KEY, VALUE = (0, 2, 3, 1), (0, 2, 1, 3)  # from a layer's (batch, length, kv_heads, head_dim) to RowCache's own


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Slots:
    """The state of all rows."""

    cache: RowCache
    tokens: Array  # (batch, max_new_tokens) int32
    n: Array  # (batch,) int32, the number of new tokens
    lengths: Array  # (batch,) int32, of the prompts
    keys: Array  # (batch, 2) uint32, see trainer/decoding/sampling.py
    done: Array  # (batch,) bool; also True for a row that never had a prompt


class Decoding:
    """The functions to compile. Reads only the program-key fields of `config`."""

    def __init__(
        self, graphdef: nnx.GraphDef, arch: Architecture, config: ResolvedConfig, dtype: Any, end_ids: Sequence[int]
    ) -> None:
        self._graphdef, self._arch, self._dtype, self._end_ids = graphdef, arch, dtype, end_ids
        self._rows, self._n_new = config.generate.batch_size, config.generate.max_new_tokens
        self._length = config.generate.max_prompt_tokens + self._n_new

    def empty(self, trainable: Tree, frozen: Tree) -> Slots:
        """Empty slots. Of the parameters, only the shapes matter."""
        cache = nnx.merge(self._graphdef, trainable, frozen).init_row_cache(self._rows, self._length, self._dtype)
        zeros = jnp.zeros(self._rows, jnp.int32)
        tokens, keys = jnp.zeros((self._rows, self._n_new), jnp.int32), jnp.zeros((self._rows, 2), jnp.uint32)
        return Slots(cache, tokens, zeros, zeros, keys, jnp.ones(self._rows, bool))

    def copies(self, trainable: Tree, frozen: Tree) -> Copies:
        """The weights in the layout that `decode` reads fastest on a CPU."""
        decoder = nnx.merge(self._graphdef, trainable, frozen)
        return decoder.unstacked(), decoder.wide_head()

    def admit(
        self,
        trainable: Tree,
        frozen: Tree,
        hp: Mapping[str, Array],
        slots: Slots,
        tokens: Array,
        segment_ids: Array,
        keys: Array,
        rows: Array,
    ) -> Slots:
        """Put prompts into `rows` and find the first token of each.

        tokens, segment_ids: (prompts, length) int32, padded on the left; keys: (prompts, 2); rows: (prompts,) int32,
        beyond the last row for a prompt that only pads the batch.
        """
        decoder = nnx.merge(self._graphdef, trainable, frozen)
        cache = decoder.init_cache(*tokens.shape, self._dtype)
        positions = jnp.maximum(jnp.cumsum(segment_ids, axis=1) - 1, 0)  # (prompts, length)
        hidden, cache = decoder(tokens, positions, segment_ids, cache, dtype=self._dtype, lora_alpha=hp["lora.alpha"])
        first = self._next(hidden[:, -1], decoder.head().T, hp, keys, jnp.zeros_like(rows))
        return Slots(
            cache=self._written(slots.cache, cache, rows),
            tokens=slots.tokens.at[rows, 0].set(first, mode="drop"),
            n=slots.n.at[rows].set(1, mode="drop"),
            lengths=slots.lengths.at[rows].set(segment_ids.sum(axis=1), mode="drop"),
            keys=slots.keys.at[rows].set(keys, mode="drop"),
            done=slots.done.at[rows].set(self._ends(first) | (self._n_new == 1), mode="drop"),
        )

    def decode(
        self,
        trainable: Tree,
        frozen: Tree,
        copies: Copies | None,
        hp: Mapping[str, Array],
        slots: Slots,
        idle: Array,
        n_free: Array,
        most: Array,
    ) -> Slots:
        """Generate up to `most` tokens per row, or until `n_free` rows have ended. idle: (batch,) bool, rows to skip.

        Without `copies`, each layer is read from the stack.
        """

        def continues(state: tuple[Array, Slots]) -> Array:
            return (state[0] < most) & (state[1].done.sum() < n_free) & ~state[1].done.all()

        def one_token(state: tuple[Array, Slots]) -> tuple[Array, Slots]:
            decoder = nnx.merge(self._graphdef, trainable, frozen)
            layers, head = copies or (decoder.unstacked(), decoder.head().T)
            return state[0] + 1, self._one_token(decoder, layers, head, hp, state[1])

        slots = replace(slots, done=slots.done | idle)
        return jax.lax.while_loop(continues, one_token, (jnp.int32(0), slots))[1]

    def _one_token(
        self, decoder: Decoder, layers: Sequence[nnx.State], head: Array, hp: Mapping[str, Array], slots: Slots
    ) -> Slots:
        rows = jnp.arange(self._rows)
        newest, positions = slots.tokens[rows, slots.n - 1], slots.lengths + slots.n - 1  # (batch,)
        hidden, cache = decoder(
            newest[:, None],
            positions[:, None],
            jnp.ones((self._rows, 1), jnp.int32),
            slots.cache,
            dtype=self._dtype,
            lora_alpha=hp["lora.alpha"],
            layers=layers,
        )
        assert isinstance(cache, RowCache)
        found = self._next(hidden[:, 0], head, hp, slots.keys, slots.n)
        n = jnp.where(slots.done, slots.n, slots.n + 1)
        return replace(
            slots,
            cache=replace(cache, index=jnp.where(slots.done, slots.cache.index, cache.index)),
            tokens=slots.tokens.at[rows, jnp.where(slots.done, self._n_new, slots.n)].set(found, mode="drop"),
            n=n,
            done=slots.done | self._ends(found) | (n == self._n_new),
        )

    def _ends(self, tokens: Array) -> Array:
        """Which of the tokens end an answer. (batch,) int32 -> (batch,) bool"""
        return reduce(jnp.logical_or, [tokens == end_id for end_id in self._end_ids])

    def _next(self, hidden: Array, head: Array, hp: Mapping[str, Array], keys: Array, n: Array) -> Array:
        """The next token of each row. hidden: (batch, hidden); head: (hidden, >= vocab). Returns (batch,) int32."""
        scores = logits(hidden, head.T, self._arch.final_softcap)[:, : self._arch.vocab_size]
        return next_tokens(scores, hp, keys, n)

    def _written(self, cache: RowCache, new: KVCache, rows: Array) -> RowCache:
        """`cache` with the prompts of `new` at the start of `rows`."""
        keys, values = list(cache.key), list(cache.value)
        for layer, both in enumerate(zip(new.key, new.value, strict=True)):
            key, value = (_as_ring(x, values[layer].shape[2]) for x in both)  # (prompts, length, kv_heads, head_dim)
            length = key.shape[1]
            keys[layer] = keys[layer].at[rows, :, :, :length].set(key.transpose(KEY), mode="drop")
            values[layer] = values[layer].at[rows, :, :length].set(value.transpose(VALUE), mode="drop")
        index = cache.index.at[rows].set(new.positions.shape[1], mode="drop")
        return RowCache(tuple(keys), tuple(values), index)


def _as_ring(x: Array, slots: int) -> Array:
    """The newest `slots` of (prompts, length, ...) tokens, each at its slot of a `RowCache`."""
    length = x.shape[1]
    return x if length <= slots else jnp.roll(x[:, length - slots :], length % slots, axis=1)
