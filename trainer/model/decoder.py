"""The decoder: the weights of its layers are stacked, and a scan runs one layer over the stack.

Compile time therefore does not grow with depth, except for decoding (`unstacked`). With `remat`, only each layer's
input is kept for the backward pass. Kernels are (out, in), as Hugging Face stores them, so that loading and saving
transpose nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.ad_checkpoint import checkpoint_name

from podium.core.config_sections import LoraConfig
from trainer.device.sharding import gather_layer, shard_rows
from trainer.model.architecture import Architecture
from trainer.model.attention import (
    NO_WINDOW,
    KVCache,
    RowCache,
    attend,
    attend_single_query,
    distances,
    rotate,
    rotations,
)
from trainer.model.int8 import dequantise, matmul
from trainer.model.lora import Dropout, Lora, LoraInputs, LoraParam

Cache = KVCache | RowCache
RANDOM = ("kernel", "embedding", "untied_head", "a")  # the variables that do not start at 0 or 1
# The values that `remat` keeps per layer beside its input: none; the products with its weights; also the outputs of
# adapters and attention. The rest is always recomputed: reading it back takes as long, and JAX, by default, would also
# keep a copy of the frozen weights.
REMAT_SAVED = {"full": (), "dots": ("product",), "none": ("product", "adapter", "attended")}
HEAD_PADDING = 32  # columns after the vocabulary, see `wide_head`
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "silu": nnx.silu,
    "gelu": partial(nnx.gelu, approximate=False),
    "gelu_tanh": nnx.gelu,
}


class Norm(nnx.Module):
    """RMSNorm (Zhang and Sennrich 2019, arXiv 1910.07467) in float32. Gemma stores the weight minus one."""

    def __init__(self, size: int, arch: Architecture, param_dtype: jnp.dtype) -> None:
        self.eps, self.offset = arch.norm_eps, 1.0 if arch.unit_offset_norm else 0.0
        self.weight = nnx.Param(jnp.full((size,), 1.0 - self.offset, param_dtype))

    def __call__(self, x: Array) -> Array:
        wide = x.astype(jnp.float32)
        wide = wide * jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + self.eps)
        return (wide * (self.offset + self.weight[...].astype(jnp.float32))).astype(x.dtype)


class Projection(nnx.Module):
    """x W^T + b, plus an optional adapter. The kernel of a frozen base may be int8 (int8.py)."""

    def __init__(
        self, inputs: int, outputs: int, param_dtype: jnp.dtype, *, bias: bool, int8: bool, lora: Lora | None
    ) -> None:
        self.kernel = nnx.Param(jnp.zeros((outputs, inputs), jnp.int8 if int8 else param_dtype))
        self.scale = nnx.Param(jnp.ones((outputs,), jnp.float32)) if int8 else None
        self.bias = nnx.Param(jnp.zeros((outputs,), param_dtype)) if bias else None
        self.lora = lora

    def __call__(self, x: Array, lora: LoraInputs) -> Array:
        kernel = self.kernel[...]
        y = x @ kernel.astype(x.dtype).T if self.scale is None else matmul(x, kernel, self.scale[...])
        if self.lora is not None:
            full = kernel if self.scale is None else dequantise(kernel, self.scale[...])  # only DoRA reads it
            y = self.lora(x, y, full, lora)
        return checkpoint_name(y if self.bias is None else y + self.bias[...].astype(x.dtype), "product")


class Layer(nnx.Module):
    """One decoder layer: attention and a gated MLP, each after a norm and, in some families, before another norm."""

    def __init__(self, arch: Architecture, param_dtype: jnp.dtype, lora: LoraConfig | None, int8: bool) -> None:
        self.arch = arch

        def projection(name: str, inputs: int, outputs: int, bias: bool) -> Projection:
            adapter = Lora(inputs, outputs, lora) if lora is not None and name in lora.targets else None
            return Projection(inputs, outputs, param_dtype, bias=bias, int8=int8, lora=adapter)

        hidden, mlp, norm = arch.hidden_size, arch.mlp_size, partial(Norm, arch=arch, param_dtype=param_dtype)
        queries, keys = arch.heads * arch.head_dim, arch.kv_heads * arch.head_dim
        self.attention_norm, self.mlp_norm = norm(hidden), norm(hidden)
        self.post_attention_norm = norm(hidden) if arch.post_norms else None
        self.post_mlp_norm = norm(hidden) if arch.post_norms else None
        self.q_norm = norm(arch.head_dim) if arch.qk_norm else None
        self.k_norm = norm(arch.head_dim) if arch.qk_norm else None
        self.q = projection("q", hidden, queries, arch.qkv_bias)
        self.k = projection("k", hidden, keys, arch.qkv_bias)
        self.v = projection("v", hidden, keys, arch.qkv_bias)
        self.o = projection("o", queries, hidden, arch.output_bias)
        self.gate = projection("gate", hidden, mlp, arch.mlp_bias)
        self.up = projection("up", hidden, mlp, arch.mlp_bias)
        self.down = projection("down", mlp, hidden, arch.mlp_bias)

    def qkv(self, x: Array, rotation: Array, lora: LoraInputs) -> tuple[Array, Array, Array]:
        """Rotated queries (batch, seq, heads, head_dim); rotated keys, and values: (batch, seq, kv_heads, head_dim)."""
        x = self.attention_norm(x)
        q, k, v = (
            project(x, lora).reshape(*x.shape[:2], -1, self.arch.head_dim) for project in (self.q, self.k, self.v)
        )
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        return rotate(q, rotation), rotate(k, rotation), v

    def finish(self, x: Array, attended: Array, lora: LoraInputs) -> Array:
        """The rest of the layer. x: (batch, seq, hidden); attended: (batch, seq, heads, head_dim)."""
        y = self.o(attended.reshape(*x.shape[:2], -1), lora)
        x = x + (y if self.post_attention_norm is None else self.post_attention_norm(y))
        z = self.mlp_norm(x)
        y = self.down(ACTIVATIONS[self.arch.activation](self.gate(z, lora)) * self.up(z, lora), lora)
        return x + (y if self.post_mlp_norm is None else self.post_mlp_norm(y))


class Decoder(nnx.Module):
    """Maps tokens to hidden states after the final norm; `head()` maps those to logits (trainer/step/loss.py)."""

    def __init__(
        self,
        arch: Architecture,
        rngs: nnx.Rngs,
        param_dtype: jnp.dtype,
        lora: LoraConfig | None = None,
        int8: bool = False,
    ) -> None:
        """`lora=None` makes no adapters. Kernels and embeddings are random with variance 1 / inputs; biases are zero.

        With `int8` the layers' kernels have that dtype, and only the shapes of this decoder are meaningful.
        """
        self.arch = arch
        shape = (arch.vocab_size, arch.hidden_size)
        self.embedding = nnx.Param(jnp.zeros(shape, param_dtype))
        make = partial(Layer, arch, param_dtype, lora, int8)
        self.layers = nnx.vmap(make, axis_size=arch.layers)()  # every array: (layers, ...)
        self.final_norm = Norm(arch.hidden_size, arch, param_dtype)
        self.untied_head = None if arch.tied_head else nnx.Param(jnp.zeros(shape, param_dtype))
        _draw(self, nnx.Param, rngs.params())
        if lora is not None:
            _draw(self, LoraParam, rngs.lora())

    def __call__(
        self,
        tokens: Array,
        positions: Array,
        segment_ids: Array,
        cache: Cache | None = None,
        *,
        dtype: jnp.dtype,
        remat: str = "none",
        lora_alpha: Array | float = 1.0,
        lora_dropout: Dropout | None = None,
        layers: Sequence[nnx.State] | None = None,
    ) -> tuple[Array, Cache | None]:
        """Hidden states (batch, seq, hidden), and the cache with these tokens added.

        tokens, positions, segment_ids: (batch, seq) int32. A token attends to the earlier tokens of its segment;
        segment 0 is padding. Positions count from 0 in each segment, so packed and left-padded rows both work. With a
        cache, tokens are written to its next slots and attend to the earlier ones; the caller keeps index + seq within
        its length. With a `RowCache`, the layers are unrolled instead of scanned; `layers` is the result of
        `unstacked`, if the caller has it.
        """
        x = shard_rows(jnp.take(self.embedding[...], tokens, axis=0).astype(dtype))  # (batch, seq, hidden)
        if self.arch.embedding_scale is not None:
            x = x * jnp.asarray(self.arch.embedding_scale, dtype)  # rounded to dtype first, as transformers does
        if isinstance(cache, KVCache):
            cache = cache.with_tokens(positions, segment_ids)
        graph, stacked = nnx.split(self.layers)
        numbers, windows, ropes, frequencies = _layer_facts(self.arch)
        # Once for all layers of a kind: computing sines in each layer and its recomputation takes a tenth of a step.
        rotation = rotations(positions, frequencies)
        step: Callable[..., Any] = partial(_layer_step, graph, self.arch, rotation, lora_alpha, lora_dropout)
        if isinstance(cache, RowCache):
            before = cache
            for number, layer in enumerate(self.unstacked() if layers is None else layers):
                facts = number, windows[number], ropes[number]
                distance = before.distances(number, positions)
                (x, cache), _ = step(distance, (x, cache), (jax.tree.map(_transposed, layer), *facts))
        else:
            seen = (positions, segment_ids) if cache is None else (cache.positions, cache.segment_ids)
            step = partial(step, distances(positions, segment_ids, *seen))
            if cache is None:
                # prevent_cse=False: inside a scan, XLA cannot merge the body with its recomputation anyway.
                kept = jax.checkpoint_policies.save_only_these_names(*REMAT_SAVED[remat])
                step = jax.checkpoint(step, prevent_cse=False, policy=kept)
            (x, cache), _ = jax.lax.scan(step, (x, cache), (stacked, numbers, windows, ropes))
        if cache is not None:
            cache = replace(cache, index=cache.index + tokens.shape[1])
        return self.final_norm(x), cache

    def unstacked(self) -> list[nnx.State]:
        """The parameters of each layer, with transposed matrices.

        For decoding: on the CPU, a scan copies a layer's part of the stack for every token, and products with few rows
        are faster if a kernel is (in, out).
        """
        stacked = nnx.state(self.layers)
        return [
            jax.tree.map(lambda x, number=number: _transposed(x[number]), stacked) for number in range(self.arch.layers)
        ]

    def wide_head(self) -> Array:
        """The head as (hidden, vocab + HEAD_PADDING), in which products with few rows are fastest on the CPU.

        Without padding, the width is often a power of two, and all rows would share the same lines of the CPU's cache.
        """
        return jnp.pad(self.head().T, ((0, 0), (0, HEAD_PADDING)))

    def head(self) -> Array:
        """(vocab, hidden): the untied head, or the embedding."""
        return (self.embedding if self.untied_head is None else self.untied_head)[...]

    def init_cache(self, batch: int, length: int, dtype: jnp.dtype) -> KVCache:
        """An empty cache for `length` tokens per row."""
        shape = (self.arch.layers, batch, length, self.arch.kv_heads, self.arch.head_dim)
        # Separate arrays: a buffer shared by two fields could not be donated.
        keys, values = jnp.zeros(shape, dtype), jnp.zeros(shape, dtype)
        positions, segment_ids = jnp.zeros((batch, length), jnp.int32), jnp.zeros((batch, length), jnp.int32)
        return KVCache(keys, values, positions, segment_ids, jnp.zeros((), jnp.int32))

    def init_row_cache(self, batch: int, length: int, dtype: jnp.dtype) -> RowCache:
        """An empty cache for `length` tokens per row; a layer with a sliding window keeps only the newest ones."""
        heads, size = self.arch.kv_heads, self.arch.head_dim
        slots = [min(length, window or length) for window in self.arch.windows]
        return RowCache(
            tuple(jnp.zeros((batch, heads, size, n), dtype) for n in slots),
            tuple(jnp.zeros((batch, heads, n, size), dtype) for n in slots),
            jnp.zeros(batch, jnp.int32),
        )


def _layer_step(
    graph: nnx.GraphDef,
    arch: Architecture,
    rotation: Array,
    lora_alpha: Array | float,
    lora_dropout: Dropout | None,
    distance: Array,
    carry: tuple[Array, Cache | None],
    inputs: tuple[nnx.State, Any, Array, Array],
) -> tuple[tuple[Array, Cache | None], None]:
    """One iteration of the scan over layers. The whole cache is the carry, so that only the new tokens are written."""
    x, cache = carry
    state, number, window, rope = inputs
    x, layer, lora = shard_rows(x), nnx.merge(graph, gather_layer(state)), LoraInputs(lora_alpha)
    if lora_dropout is not None:
        widest = max(arch.hidden_size, arch.mlp_size, arch.heads * arch.head_dim)
        lora = LoraInputs(lora_alpha, lora_dropout.rate, lora_dropout.kept(number, (*x.shape[:2], widest)))
    query, key, value = layer.qkv(x, rotation[rope], lora)
    if cache is not None:
        cache = cache.with_layer(number, key, value)
        key, value = cache.layer(number)
    key, value = key.astype(x.dtype), value.astype(x.dtype)  # a cache may have another dtype
    attention = attend_single_query if isinstance(cache, RowCache) else attend
    attended = attention(query, key, value, distance, window, arch.attention_scale, arch.attention_softcap)
    attended = checkpoint_name(attended, "attended")
    return (layer.finish(x, attended, lora), cache), None


def _transposed(x: Array) -> Array:
    return x.T if x.ndim == 2 else x


def _layer_facts(arch: Architecture) -> tuple[Array, Array, Array, Array]:
    """Each layer's number, window and kind of RoPE, all (layers,); each kind's frequencies, (kinds, head_dim / 2)."""
    windows = [window or NO_WINDOW for window in arch.windows]
    kinds = tuple(dict.fromkeys(arch.ropes))
    numbers = [kinds.index(rope) for rope in arch.ropes]
    frequencies = np.stack([kind.inverse_frequencies(arch.head_dim) for kind in kinds])
    return jnp.arange(arch.layers), jnp.array(windows, jnp.int32), jnp.array(numbers), jnp.array(frequencies)


def _draw(decoder: Decoder, kind: type[nnx.Variable], key: Array) -> None:
    """Fill the random variables of one kind with parts of a single draw, which compiles in a fifth of the time."""
    found = [(path, node) for path, node in nnx.iter_graph(decoder) if isinstance(node, kind) and path[-1] in RANDOM]
    variables = [node for _, node in sorted(found, key=lambda item: item[0])]
    ends = np.cumsum([variable.size for variable in variables])
    numbers = jax.random.normal(key, (int(ends[-1]),), jnp.float32)
    for variable, part in zip(variables, jnp.split(numbers, ends[:-1]), strict=True):
        variable[...] = (part.reshape(variable.shape) / variable.shape[-1] ** 0.5).astype(variable.dtype)
