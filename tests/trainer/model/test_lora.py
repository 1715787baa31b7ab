"""Adapters: nothing at first, exactly alpha / rank * B A later, and the base is never touched."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from podium.core.config import RunConfig
from trainer.model.base_model import BaseModel, build_decoder, init_state, load_base
from trainer.model.lora import LoraParam, _widen, merge

CONFIG = RunConfig().with_overrides({"lora.enabled": True, "lora.rank": 4})
AT_8 = CONFIG.lora.model_copy(update={"alpha": 8.0})
merged_at_8 = jax.jit(partial(merge, lora=AT_8))
BATCH = (jnp.arange(5, 15)[None], jnp.arange(10)[None], jnp.ones((1, 10), jnp.int32))


def tiny() -> BaseModel:
    return load_base(CONFIG)


@partial(jax.jit, static_argnums=0)
def hidden(graph: nnx.GraphDef, trainable: nnx.State, frozen: nnx.State, alpha: Array | float) -> Array:
    return nnx.merge(graph, trainable, frozen)(*BATCH, dtype=jnp.float32, lora_alpha=alpha)[0]


def trained(state: nnx.State) -> nnx.State:
    """Adapters as they are after some steps: B is no longer zero."""
    draw = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: leaf + 0.05 * draw.normal(size=leaf.shape).astype(np.float32), jax.device_get(state)
    )


def test_only_the_adapters_are_trained() -> None:
    trainable, frozen = init_state(tiny(), CONFIG, 0)
    leaves = nnx.to_flat_state(trainable)
    assert all(isinstance(variable, LoraParam) for _, variable in leaves)
    assert {path[1] for path, _ in leaves} == {"q", "k", "v", "o", "gate", "up", "down"}
    assert all(isinstance(variable, nnx.Param) for _, variable in nnx.to_flat_state(frozen))


def test_shapes_and_start() -> None:
    arch = tiny().arch
    adapters = dict(nnx.to_flat_state(init_state(tiny(), CONFIG, 0)[0]))
    a, b = (adapters["layers", "down", "lora", name][...] for name in ("a", "b"))
    assert a.shape == (arch.layers, 4, arch.mlp_size)
    assert b.shape == (arch.layers, arch.hidden_size, 4)
    assert a.dtype == b.dtype == jnp.float32
    assert not b.any()
    assert 0.8 < float(a.std()) * arch.mlp_size**0.5 < 1.2
    assert not np.array_equal(a[0], a[1])  # each layer drew its own


def test_at_first_the_model_is_the_base_model() -> None:
    base, plain = tiny(), RunConfig()
    trainable, frozen = init_state(base, CONFIG, 0)
    params, empty = init_state(base, plain, 0)
    with_adapters = hidden(build_decoder(base, CONFIG), trainable, frozen, 16.0)
    assert np.allclose(with_adapters, hidden(build_decoder(base, plain), params, empty, 16.0), atol=1e-5)


def test_targets_choose_the_projections() -> None:
    config = CONFIG.with_overrides({"lora.targets": ["q", "v"]})
    trainable, _ = init_state(tiny(), config, 0)
    assert {path[1] for path, _ in nnx.to_flat_state(trainable)} == {"q", "v"}


def test_the_update_is_alpha_over_rank_times_b_a() -> None:
    trainable, frozen = init_state(tiny(), CONFIG, 0)
    adapters = trained(trainable)
    merged, before = dict(nnx.to_flat_state(merged_at_8(frozen, adapters))), dict(nnx.to_flat_state(frozen))
    flat = dict(nnx.to_flat_state(adapters))
    for layer in range(tiny().arch.layers):
        a, b = (np.asarray(flat["layers", "q", "lora", name][layer]) for name in ("a", "b"))
        wanted = np.asarray(before["layers", "q", "kernel"][layer]) + 8.0 / 4 * b @ a
        assert np.allclose(merged["layers", "q", "kernel"][layer], wanted, atol=1e-5)
    assert np.array_equal(merged["embedding",][...], before["embedding",][...])


def test_a_merged_model_computes_the_same() -> None:
    base = tiny()
    trainable, frozen = init_state(base, CONFIG, 0)
    adapters = trained(trainable)
    with_adapters = hidden(build_decoder(base, CONFIG), adapters, frozen, 8.0)
    whole = merged_at_8(frozen, adapters)
    assert np.allclose(with_adapters, hidden(build_decoder(base, RunConfig()), whole, nnx.State({}), 8.0), atol=1e-4)
    start = hidden(build_decoder(base, CONFIG), trainable, frozen, 8.0)
    assert not np.allclose(with_adapters, start, atol=1e-2)


def test_alpha_is_an_input_of_the_program() -> None:
    base = tiny()
    trainable, frozen = init_state(base, CONFIG, 0)
    traces = []

    @jax.jit
    def run(adapters: nnx.State, alpha: Array) -> Array:
        traces.append(alpha)
        return hidden(build_decoder(base, CONFIG), adapters, frozen, alpha)

    adapters = trained(trainable)
    one, two = (run(adapters, jnp.float32(alpha)) for alpha in (8.0, 16.0))
    assert len(traces) == 1
    assert not np.allclose(one, two)


def test_gradients_reach_the_adapters_alone() -> None:
    base = tiny()
    trainable, frozen = init_state(base, CONFIG, 0)
    graph = build_decoder(base, CONFIG)

    @jax.jit
    @jax.grad
    def gradient(state: nnx.State) -> Array:
        return jnp.sum(hidden(graph, state, frozen, 16.0) ** 2 * jnp.arange(128))

    gradients = gradient(trainable)
    flat = dict(nnx.to_flat_state(gradients))
    assert flat.keys() == dict(nnx.to_flat_state(trainable)).keys()
    assert all(variable[...].any() for path, variable in flat.items() if path[-1] == "b")


def test_the_gradient_of_b_is_that_of_the_product() -> None:
    draw = np.random.default_rng(0)
    x, b, wanted = (draw.normal(size=shape).astype(np.float32) for shape in [(2, 3, 4), (5, 4), (2, 3, 5)])

    def gradients(widen: Callable[[Array, Array], Array]) -> tuple[Array, Array]:
        return jax.jit(jax.grad(lambda x, b: jnp.sum((widen(x, b) - wanted) ** 2), (0, 1)))(x, b)

    for found, plain in zip(gradients(_widen), gradients(lambda x, b: x @ b.T), strict=True):
        assert np.allclose(found, plain, rtol=1e-5, atol=1e-5)
