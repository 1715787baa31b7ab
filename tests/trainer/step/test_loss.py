"""The chunked loss is the plain loss, without its memory."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from trainer.step import loss
from trainer.step.loss import chunked_cross_entropy, logits

BATCH, SEQ, HIDDEN, VOCAB = 3, 7, 16, 50
OPTIONS: dict[str, Any] = {"softcap": None, "label_smoothing": 0.0, "chunk": 4}


def example() -> tuple[Array, Array, Array, Array]:
    """hidden (batch, seq, hidden), head (vocab, hidden), targets and weights (batch, seq)"""
    draw = np.random.default_rng(0)
    hidden, head = draw.normal(size=(BATCH, SEQ, HIDDEN)), draw.normal(size=(VOCAB, HIDDEN))
    targets = draw.integers(VOCAB, size=(BATCH, SEQ), dtype=np.int32)
    weights = draw.uniform(size=(BATCH, SEQ)) * np.array([1, 1, 0, 1, 1, 1, 0])
    return tuple(
        map(jnp.asarray, (hidden.astype(np.float32), head.astype(np.float32), targets, weights.astype(np.float32)))
    )


def plain_loss(hidden: Array, head: Array, targets: Array, weights: Array, cap: float | None, smooth: float) -> Array:
    """Cross-entropy with the smoothed distribution, written out over the whole vocabulary."""
    scores = hidden @ head.T
    if cap is not None:
        scores = cap * jnp.tanh(scores / cap)
    wanted = (1 - smooth) * jax.nn.one_hot(targets, VOCAB) + smooth / VOCAB
    return -jnp.sum(jnp.sum(wanted * jax.nn.log_softmax(scores), axis=-1) * weights)


@pytest.mark.parametrize("cap", [None, 5.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_value_and_gradients_equal_the_plain_loss(cap: float | None, smoothing: float) -> None:
    hidden, head, targets, weights = example()

    def chunked(hidden: Array, head: Array) -> Array:
        # 4 tokens a chunk: 21 tokens leave a last chunk that is not full
        options = {"softcap": cap, "label_smoothing": smoothing, "chunk": 4}
        return chunked_cross_entropy(hidden, head, targets, weights, **options)[0]

    def plain(hidden: Array, head: Array) -> Array:
        return plain_loss(hidden, head, targets, weights, cap, smoothing)

    found, found_gradients = jax.jit(jax.value_and_grad(chunked, (0, 1)))(hidden, head)
    wanted, wanted_gradients = jax.jit(jax.value_and_grad(plain, (0, 1)))(hidden, head)
    assert abs(found - wanted) < 1e-5 * abs(wanted)
    for a, b in zip(found_gradients, wanted_gradients, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() < 1e-5


def test_gradients_of_what_follows_the_loss_with_a_frozen_head() -> None:
    hidden, head, targets, weights = example()

    def chunked(hidden: Array) -> Array:
        options: dict[str, Any] = {"softcap": 5.0, "label_smoothing": 0.1, "chunk": 4}
        return chunked_cross_entropy(hidden, head, targets, weights, **options)[0] ** 2

    found = jax.jit(jax.grad(chunked))(hidden)
    wanted = jax.jit(jax.grad(lambda x: plain_loss(x, head, targets, weights, 5.0, 0.1) ** 2))(hidden)
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_the_sum_of_weights_comes_with_it() -> None:
    hidden, head, targets, weights = example()
    _, total = chunked_cross_entropy(hidden, head, targets, weights, **OPTIONS)
    assert total.shape == ()
    assert np.isclose(total, weights.sum())


def test_tokens_of_weight_zero_are_ignored_whatever_they_hold() -> None:
    hidden, head, targets, weights = example()
    ignored = weights == 0
    spoilt = jnp.where(ignored[..., None], jnp.nan, hidden), head, jnp.where(ignored, -100, targets), weights
    found, _ = chunked_cross_entropy(*spoilt, **OPTIONS)
    assert found == chunked_cross_entropy(hidden, head, targets, weights, **OPTIONS)[0]


def test_only_chunks_with_learned_tokens_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, head, targets, weights = example()  # 15 of 21 tokens are learned
    computed: list[int] = []
    chunk_loss = loss._chunk_loss

    def counted(*inputs: Any) -> Array:
        jax.debug.callback(lambda learned: computed.append(int(learned)), (inputs[3] > 0).sum())
        return chunk_loss(*inputs)

    monkeypatch.setattr(loss, "_chunk_loss", counted)
    jax.grad(lambda x: chunked_cross_entropy(x, head, targets, weights, **OPTIONS)[0])(hidden).block_until_ready()
    jax.effects_barrier()
    assert sorted(computed) == [3, 4, 4, 4]


def test_nothing_to_learn_gives_zero() -> None:
    hidden, head, targets, weights = example()
    found = chunked_cross_entropy(hidden, head, targets, 0 * weights, **OPTIONS)
    assert [float(value) for value in found] == [0.0, 0.0]


def test_bfloat16_inputs_are_summed_in_float32() -> None:
    hidden, head, targets, weights = example()
    small = hidden.astype(jnp.bfloat16), head.astype(jnp.bfloat16)
    found = chunked_cross_entropy(*small, targets, weights, **OPTIONS)[0]
    wanted = plain_loss(*(x.astype(jnp.float32) for x in small), targets, weights, None, 0.0)
    assert found.dtype == jnp.float32
    assert abs(found - wanted) < 1e-5 * abs(wanted)
    assert logits(*small, None).dtype == jnp.float32


def test_memory_grows_with_the_chunk_and_not_with_the_tokens() -> None:
    tokens, vocab = 1024, 4096

    def temporaries(chunk: int) -> int:
        def loss(hidden: Array, head: Array, targets: Array, weights: Array) -> Array:
            options = {"softcap": None, "label_smoothing": 0.0, "chunk": chunk}
            return chunked_cross_entropy(hidden, head, targets, weights, **options)[0]

        shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((tokens, HIDDEN), (vocab, HIDDEN), (tokens,))]
        targets = jax.ShapeDtypeStruct((tokens,), jnp.int32)
        compiled = jax.jit(jax.grad(loss, (0, 1))).lower(shapes[0], shapes[1], targets, shapes[2]).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    all_logits = tokens * vocab * 4
    assert temporaries(tokens) >= all_logits
    assert temporaries(tokens // 16) < all_logits / 4
