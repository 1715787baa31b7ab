"""What the decoder promises beside the right logits: who sees whom, memory, and a program that ignores depth."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array

from trainer.model.architecture import Architecture, Rope
from trainer.model.decoder import Decoder

WINDOW = 4
ARCH = Architecture(
    family="gemma3_text",
    vocab_size=48,
    hidden_size=16,
    mlp_size=24,
    heads=4,
    kv_heads=2,
    head_dim=8,
    max_positions=64,
    windows=(WINDOW, 0),
    global_rope=Rope(1e4),
    local_rope=Rope(1e3),
    norm_eps=1e-6,
    unit_offset_norm=True,
    qk_norm=True,
    post_norms=True,
    qkv_bias=False,
    output_bias=False,
    mlp_bias=False,
    activation="gelu_tanh",
    attention_scale=8**-0.5,
    attention_softcap=None,
    final_softcap=None,
    embedding_scale=4.0,
    tied_head=True,
)


@cache
def split(arch: Architecture) -> tuple[nnx.GraphDef, nnx.State]:
    """The decoder with weights that numpy draws: JAX would compile a program for every shape."""
    graph, shapes = nnx.split(nnx.eval_shape(lambda: Decoder(arch, nnx.Rngs(0), jnp.float32)))
    draw = np.random.default_rng(0)
    drawn = jax.tree.map(lambda x: np.float32(draw.normal(scale=x.shape[-1] ** -0.5, size=x.shape)), shapes)
    with jax.ensure_compile_time_eval():  # whoever calls first: inside `run`'s tracing the arrays would be tracers
        return graph, jax.tree.map(jnp.asarray, drawn)


@partial(jax.jit, static_argnums=(0, 4, 5))
def run(
    arch: Architecture,
    tokens: Any,
    positions: Any,
    segment_ids: Any,
    dtype: Any = jnp.float32,
    remat: str = "none",
) -> Array:
    """Hidden states (batch, seq, hidden) of the decoder with the weights of `split`."""
    return nnx.merge(*split(arch))(tokens, positions, segment_ids, dtype=dtype, remat=remat)[0]


def row(*tokens: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(tokens, positions, segment_ids), each (1, seq)"""
    length = len(tokens)
    return np.array([tokens], np.int32), np.arange(length, dtype=np.int32)[None], np.ones((1, length), np.int32)


def test_shapes_and_dtypes() -> None:
    decoder = nnx.merge(*split(ARCH))
    assert run(ARCH, *row(5, 6, 7, 8)).shape == (1, 4, 16)
    assert decoder.head().shape == (48, 16)
    assert decoder.head() is decoder.embedding[...]
    slots = decoder.init_cache(3, 10, jnp.bfloat16)
    assert slots.key.shape == slots.value.shape == (2, 3, 10, 2, 8)
    assert slots.key.dtype == jnp.bfloat16
    assert slots.positions.shape == slots.segment_ids.shape == (3, 10)
    rows = decoder.init_row_cache(3, 10, jnp.bfloat16)
    assert [key.shape for key in rows.key] == [(3, 2, 8, WINDOW), (3, 2, 8, 10)], "a window keeps no more than it sees"
    assert [value.shape for value in rows.value] == [(3, 2, WINDOW, 8), (3, 2, 10, 8)]
    for held in (slots, rows):
        jax.block_until_ready(jax.jit(lambda cache: cache, donate_argnums=0)(held))  # no buffer is in it twice


def test_an_untied_head_is_its_own() -> None:
    decoder = nnx.merge(*split(replace(ARCH, tied_head=False)))
    assert decoder.head().shape == (48, 16)
    assert not np.array_equal(decoder.head(), decoder.embedding[...])


def test_a_token_does_not_see_what_follows() -> None:
    a, b = (np.asarray(run(ARCH, *row(5, 6, 7, last))) for last in (8, 9))
    assert np.array_equal(a[:, :3], b[:, :3])
    assert not np.allclose(a[:, 3], b[:, 3])


def test_a_window_ends_where_it_says() -> None:
    """With one windowed layer, token i sees i - 3 and not i - 4."""
    arch = replace(ARCH, windows=(WINDOW,))
    before, after = (np.asarray(run(arch, *row(first, 6, 7, 8, 9, 10))) for first in (5, 11))
    same = [bool(np.array_equal(before[0, i], after[0, i])) for i in range(6)]
    assert same == [False, False, False, False, True, True]


def test_packed_examples_do_not_see_each_other() -> None:
    first, second = row(5, 6, 7, 8, 9), row(20, 21, 22, 23, 24, 25)
    packed = [np.concatenate(pair, axis=1) for pair in zip(first, second, strict=True)]
    packed[2][:, 5:] = 2
    found = np.asarray(run(ARCH, *packed))
    assert np.allclose(found[:, :5], run(ARCH, *first), atol=1e-5)
    assert np.allclose(found[:, 5:], run(ARCH, *second), atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing_and_gives_no_nan(side: str) -> None:
    example = row(5, 6, 7, 8, 9)
    width = (3, 0) if side == "left" else (0, 3)
    padded = [np.pad(field, ((0, 0), width)) for field in example]
    found = np.asarray(run(ARCH, *padded))
    assert np.isfinite(found).all()
    assert np.allclose(found[:, width[0] : width[0] + 5], run(ARCH, *example), atol=1e-5)


def test_bfloat16_stays_near_float32() -> None:
    example = row(*range(5, 25))
    half = run(ARCH, *example, jnp.bfloat16)
    assert half.dtype == jnp.bfloat16
    assert np.abs(np.asarray(half, np.float32) - np.asarray(run(ARCH, *example))).max() < 0.1


def loss(state: nnx.State, graph: nnx.GraphDef, remat: str, *batch: Array) -> Array:
    hidden, _ = nnx.merge(graph, state)(*batch, dtype=jnp.float32, remat=remat)
    return jnp.mean(hidden**2 * jnp.arange(hidden.shape[-1]))


gradient = jax.jit(jax.grad(loss), static_argnums=(1, 2))
DEEP = replace(ARCH, windows=(WINDOW, 0) * 8)
ROWS, LENGTH = 4, 64


@cache
def deep_gradient(remat: str) -> Any:
    """The compiled gradient of `loss` on DEEP for (ROWS, LENGTH) tokens."""
    graph, state = split(DEEP)
    return gradient.lower(state, graph, remat, *rows()).compile()


def rows() -> list[np.ndarray]:
    """(tokens, positions, segment_ids), each (ROWS, LENGTH)"""
    return [np.tile(field, (ROWS, 1)) for field in row(*(5 + n % 40 for n in range(LENGTH)))]


@pytest.mark.parametrize("remat", ["full", "dots"])
def test_recomputed_layers_have_the_same_gradients(remat: str) -> None:
    _, state = split(DEEP)
    kept, recomputed = (deep_gradient(name)(state, *rows()) for name in ("none", remat))
    for a, b in zip(jax.tree.leaves(kept), jax.tree.leaves(recomputed), strict=True):
        assert np.isfinite(a).all()
        assert np.allclose(a, b, rtol=1e-5, atol=1e-6)


def test_gradients_of_padding_are_finite() -> None:
    tokens, positions, segment_ids = rows()
    segment_ids[:, 3:] = 0
    gradients = deep_gradient("full")(split(DEEP)[1], tokens, positions, segment_ids)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_remat_keeps_little_more_than_the_input_of_each_layer() -> None:
    all_scores = DEEP.layers * ROWS * DEEP.heads * LENGTH * LENGTH * 4
    full, dots, none = (
        deep_gradient(remat).memory_analysis().temp_size_in_bytes  # beside its inputs and outputs
        for remat in ("full", "dots", "none")
    )
    assert full < all_scores / 2  # a few layers' worth while one is recomputed
    assert full < dots < none
    assert none < dots + all_scores / 2  # nor are scores kept there


def equations(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        yield equation
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            yield from equations(inner)


def test_the_program_does_not_grow_with_depth() -> None:
    def size(layers: int) -> tuple[int, int]:
        """(equations traced, lines of the lowered program) of the gradient"""
        graph, state = split(replace(ARCH, windows=(WINDOW,) * (layers - 1) + (0,)))
        traced = gradient.trace(state, graph, "full", *row(*range(5, 25)))
        return len(list(equations(traced.jaxpr.jaxpr))), len(traced.lower().as_text().splitlines())

    assert size(2) == size(8)
    assert size(2)[0] > 100
