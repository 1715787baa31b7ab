"""Batched greedy decoding with a KV cache: a compiled prefill, then a compiled loop until every row has ended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.records import Prediction, Sample
from trainer.architecture import Architecture
from trainer.attention import KVCache
from trainer.loss import logits
from trainer.template import choose_template
from trainer.tokenizer import Tokenizer

Tree = Any


def make_prefill(graphdef: nnx.GraphDef, arch: Architecture, config: RunConfig, dtype: Any) -> Callable[..., Any]:
    """`prefill(trainable, frozen, lora_alpha, tokens, segment_ids) -> (cache, first tokens)`, to be compiled.

    tokens, segment_ids: (batch, max_prompt_tokens) int32, padded on the left, so that every row's last prompt token is
    in the last place. First tokens: (batch,) int32.
    """
    length = config.generate.max_prompt_tokens + config.generate.max_new_tokens

    def prefill(
        trainable: Tree, frozen: Tree, lora_alpha: jax.Array, tokens: jax.Array, segment_ids: jax.Array
    ) -> tuple[KVCache, jax.Array]:
        decoder = nnx.merge(graphdef, trainable, frozen)
        cache = decoder.init_cache(tokens.shape[0], length, dtype)
        positions = jnp.maximum(jnp.cumsum(segment_ids, axis=1) - 1, 0)  # (batch, prompt)
        hidden, cache = decoder(tokens, positions, segment_ids, cache, dtype=dtype, lora_alpha=lora_alpha)
        return cache, _greedy(decoder, arch, hidden[:, -1])

    return prefill


def make_decode(
    graphdef: nnx.GraphDef, arch: Architecture, config: RunConfig, dtype: Any, eos_id: int
) -> Callable[..., Any]:
    """`decode(trainable, frozen, lora_alpha, cache, first, lengths) -> (tokens, cache)`, to be compiled.

    first, lengths: (batch,) int32, the tokens that prefill found and the prompts' lengths, 0 for a row that only fills
    the batch. Tokens: (batch, max_new_tokens) int32; what follows a row's EOS means nothing. The cache is returned so
    that its buffers can be donated and written to in place, and for nothing else.
    """
    n_new = config.generate.max_new_tokens

    def decode(
        trainable: Tree, frozen: Tree, lora_alpha: jax.Array, cache: KVCache, first: jax.Array, lengths: jax.Array
    ) -> tuple[jax.Array, KVCache]:
        decoder = nnx.merge(graphdef, trainable, frozen)

        def unfinished(state: tuple) -> jax.Array:
            n, _, done, _ = state
            return (n < n_new) & ~jnp.all(done)

        def next_token(state: tuple) -> tuple:
            n, tokens, done, cache = state
            newest = jax.lax.dynamic_slice_in_dim(tokens, n - 1, 1, axis=1)  # (batch, 1)
            positions = (lengths + n - 1)[:, None]
            hidden, cache = decoder(newest, positions, jnp.ones_like(newest), cache, dtype=dtype, lora_alpha=lora_alpha)
            found = _greedy(decoder, arch, hidden[:, 0])
            tokens = jax.lax.dynamic_update_slice_in_dim(tokens, found[:, None], n, axis=1)
            return n + 1, tokens, done | (found == eos_id), cache

        tokens = jnp.full((first.shape[0], n_new), eos_id, jnp.int32).at[:, 0].set(first)
        done = (first == eos_id) | (lengths == 0)
        _, tokens, _, cache = jax.lax.while_loop(unfinished, next_token, (jnp.int32(1), tokens, done, cache))
        return tokens, cache

    return decode


@dataclass(frozen=True)
class PromptBatch:
    """Prompts padded on the left, and rows of nothing up to the batch size."""

    tokens: np.ndarray  # (batch, prompt) int32
    segment_ids: np.ndarray  # (batch, prompt) int32
    lengths: np.ndarray  # (batch,) int32


def pad_prompts(prompts: Sequence[Sequence[int]], batch_size: int, length: int) -> PromptBatch:
    """A prompt longer than `length` loses its beginning."""
    tokens, segment_ids = np.zeros((2, batch_size, length), np.int32)
    for row, prompt in enumerate(prompts):
        kept = prompt[-length:]
        tokens[row, length - len(kept) :] = kept
        segment_ids[row, length - len(kept) :] = 1
    return PromptBatch(tokens, segment_ids, segment_ids.sum(axis=1, dtype=np.int32))


def generate(
    samples: Sequence[Sample],
    tokenizer: Tokenizer,
    config: RunConfig,
    decode: Callable[[PromptBatch], np.ndarray],
    deadline: Deadline,
) -> tuple[list[Prediction], int]:
    """What the model writes after each prompt, and how many prompts lost their beginning.

    Works in batches of one shape until done or out of time; a sample that there was no time for has no prediction.
    `decode` returns (batch, max_new_tokens) token ids.
    """
    size, length = config.generate.batch_size, config.generate.max_prompt_tokens
    template = choose_template(tokenizer, config.data)
    predictions: list[Prediction] = []
    n_cut = 0
    for start in range(0, len(samples), size):
        if deadline.expired():
            break
        chosen = samples[start : start + size]
        prompts = [template.prompt(sample.prompt) for sample in chosen]
        n_cut += sum(len(prompt) > length for prompt in prompts)
        rows = decode(pad_prompts(prompts, size, length))
        predictions += [_prediction(sample, row, tokenizer) for sample, row in zip(chosen, rows, strict=False)]
    return predictions, n_cut


def _prediction(sample: Sample, row: np.ndarray, tokenizer: Tokenizer) -> Prediction:
    ends = np.flatnonzero(row == tokenizer.eos_id)
    ids = row[: ends[0]] if len(ends) else row
    return Prediction(
        id=sample.id,
        text=tokenizer.decode(ids.tolist()),
        n_output_tokens=len(ids),
        finish_reason="eos" if len(ends) else "length",
    )


def _greedy(decoder: nnx.Module, arch: Architecture, hidden: jax.Array) -> jax.Array:
    """The likeliest next token. hidden: (batch, hidden); returns (batch,) int32."""
    return jnp.argmax(logits(hidden, decoder.head(), arch.final_softcap), axis=-1).astype(jnp.int32)
