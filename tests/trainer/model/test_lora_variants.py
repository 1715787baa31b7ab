"""rsLoRA, DoRA, dropout, and a base in int8: each against its formula written out."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import Array

from podium.core.config import RunConfig
from podium.core.config_sections import LoraConfig
from trainer.export import save_hf
from trainer.model.base_model import build_decoder, init_state, load_base
from trainer.model.int8 import dequantise, matmul, quantise
from trainer.model.lora import Dropout, Lora, LoraInputs, merge
from trainer.programs.library import ProgramLibrary
from trainer.step.optimizer import hyperparameters

PLAIN = RunConfig().with_overrides({"lora.enabled": True, "lora.rank": 4, "lora.alpha": 8.0})
VARIANTS = {
    "rslora": {"lora.rslora": True},
    "rslora and dora": {"lora.dora": True, "lora.rslora": True},
    "int8 and dora": {"model.base_dtype": "int8", "lora.dora": True},
}
BATCH = (jnp.arange(5, 15)[None], jnp.arange(10)[None], jnp.ones((1, 10), jnp.int32))


@partial(jax.jit, static_argnums=0)
def hidden(graph: nnx.GraphDef, trainable: nnx.State, frozen: nnx.State, dropout: Dropout | None = None) -> Array:
    decoder = nnx.merge(graph, trainable, frozen)
    return decoder(*BATCH, dtype=jnp.float32, lora_alpha=8.0, lora_dropout=dropout)[0]


def moved(state: nnx.State) -> nnx.State:
    """Adapters as they are after some steps."""
    draw = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: leaf + 0.05 * draw.normal(size=leaf.shape).astype(np.float32), jax.device_get(state)
    )


def normal(*shape: int, seed: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def adapter(**changed: bool) -> Lora:
    lora = Lora(6, 5, LoraConfig(rank=4, **changed))
    for number, name in enumerate(("a", "b", "magnitude")):
        if getattr(lora, name) is not None:
            variable = getattr(lora, name)
            variable[...] = jnp.asarray(normal(*variable.shape, seed=number))
    return lora


@pytest.mark.parametrize("rslora", [False, True])
def test_the_scale_is_alpha_over_rank_or_over_its_root(rslora: bool) -> None:
    lora, x, kernel = (
        adapter(rslora=rslora),
        np.arange(12.0, dtype=np.float32).reshape(2, 6),
        np.ones((5, 6), np.float32),
    )
    found = lora(x, x @ kernel.T, kernel, LoraInputs(3.0))
    scale = 3.0 / (2.0 if rslora else 4.0)
    assert np.allclose(found, x @ (kernel + scale * np.asarray(lora.b) @ np.asarray(lora.a)).T, rtol=1e-4, atol=1e-3)


def test_dora_gives_each_row_a_norm_of_its_own() -> None:
    """Equation 5 of the paper, with rows for columns since kernels are (out, in)."""
    lora, x, kernel = adapter(dora=True), np.arange(12.0, dtype=np.float32).reshape(2, 6), normal(5, 6)
    a, b, magnitude = map(np.asarray, (lora.a, lora.b, lora.magnitude))
    updated = kernel + 3.0 / 4 * b @ a
    norms = np.linalg.norm(kernel, axis=1) + magnitude
    wanted = norms[:, None] * updated / np.linalg.norm(updated, axis=1, keepdims=True)
    found = lora(x, x @ kernel.T, kernel, LoraInputs(3.0))
    assert np.allclose(found, x @ wanted.T, rtol=1e-4, atol=1e-4)


def test_doras_norm_is_a_constant_to_the_gradient() -> None:
    graph, state = nnx.split(adapter(dora=True))
    x, kernel = np.arange(12.0, dtype=np.float32).reshape(2, 6), normal(5, 6)
    norms = np.linalg.norm(kernel + 3.0 / 4 * np.asarray(state["b"]) @ np.asarray(state["a"]), axis=1)

    def ours(state: nnx.State) -> Array:
        return jnp.sum(nnx.merge(graph, state)(x, x @ kernel.T, kernel, LoraInputs(3.0)) ** 2)

    def written_out(state: nnx.State) -> Array:
        gain = (jnp.linalg.norm(kernel, axis=1) + state["magnitude"][...]) / norms
        return jnp.sum((x @ (gain[:, None] * (kernel + 3.0 / 4 * state["b"][...] @ state["a"][...])).T) ** 2)

    found, wanted = (jax.tree.leaves(jax.jit(jax.grad(loss))(state)) for loss in (ours, written_out))
    assert len(found) == 3
    for a, b in zip(found, wanted, strict=True):
        assert np.allclose(a, b, rtol=1e-3)


@pytest.mark.parametrize("name", VARIANTS)
def test_at_first_it_is_the_base_and_merged_it_computes_the_same(name: str) -> None:
    config = PLAIN.with_overrides(VARIANTS[name])
    base, whole_config = load_base(config), RunConfig()
    graph, whole_graph = build_decoder(base, config), build_decoder(base, whole_config)
    trainable, frozen = init_state(base, config, 0)
    merged = jax.jit(partial(merge, lora=config.lora))
    untouched = hidden(whole_graph, merged(frozen, nnx.State({})), nnx.State({}))
    assert np.allclose(hidden(graph, trainable, frozen), untouched, atol=1e-4)
    adapters = moved(trainable)
    found = hidden(graph, adapters, frozen)
    assert np.allclose(found, hidden(whole_graph, merged(frozen, adapters), nnx.State({})), atol=1e-3)
    assert not np.allclose(found, untouched, atol=1e-2)


def test_dropout_zeroes_its_share_and_keeps_the_mean() -> None:
    lora, x, kernel = adapter(), jnp.ones((1, 4000, 6)), jnp.zeros((5, 6))
    whole = lora(x, x @ kernel.T, kernel, LoraInputs(1.0))
    given = LoraInputs(1.0, 0.25, Dropout(0.25, jax.random.key(0)).kept(0, (1, 4000, 8)))
    found = lora(x, x @ kernel.T, kernel, given)
    assert np.allclose(found.mean(axis=1), whole.mean(axis=1), atol=0.1)
    assert not np.allclose(found, whole)
    gradient = jax.jit(jax.grad(lambda x: lora(x, 0 * x[..., :5], kernel, given).sum()))
    assert 0.23 < float((gradient(x) == 0).mean()) < 0.27  # the backward pass has the same mask


def test_dropout_follows_from_its_key_and_differs_between_layers() -> None:
    base = load_base(PLAIN)
    graph, (trainable, frozen) = build_decoder(base, PLAIN), init_state(base, PLAIN, 0)
    trainable = moved(trainable)
    one, again, other, off = (
        hidden(graph, trainable, frozen, Dropout(rate, jax.random.key(seed)))
        for rate, seed in ((0.3, 0), (0.3, 0), (0.3, 1), (0.0, 2))
    )
    assert np.array_equal(one, again)
    assert not np.allclose(one, other, atol=1e-3)
    assert np.allclose(off, hidden(graph, trainable, frozen), atol=1e-6)
    masks = [Dropout(0.5, jax.random.key(0)).kept(layer, (1, 4, 16)) for layer in (0, 1, 2)]
    assert len({mask.tobytes() for mask in map(np.asarray, masks)}) == 3


def test_dropout_in_a_step_follows_from_seed_and_step(library: ProgramLibrary, adapted: RunConfig) -> None:
    program, batch = library.training_program(adapted), library.trainset(adapted).batch(0, 0, 1, 4)

    def grad_norm(rate: float, seed: int, step: int) -> float:
        trainable, frozen, opt_state = program.init(0)
        hp = {**hyperparameters(adapted), "lora.dropout": np.float32(rate), "train.seed": np.int32(seed)}
        return float(program.step(trainable, opt_state, frozen, batch, hp, np.int32(step))[2]["grad_norm"])

    wanted = grad_norm(0.5, 0, 3)
    assert grad_norm(0.5, 0, 3) == wanted
    assert len({wanted, grad_norm(0.5, 0, 4), grad_norm(0.5, 1, 3), grad_norm(0.0, 0, 3)}) == 4
    assert grad_norm(0.0, 0, 3) == grad_norm(0.0, 1, 4)


def test_int8_is_off_by_half_a_step_at_most() -> None:
    kernel = normal(3, 5, 64)
    kernel[1, 2] = 0.0
    small, scale = jax.jit(quantise)(kernel)
    assert (small.dtype, small.shape, scale.shape) == (jnp.int8, (3, 5, 64), (3, 5))
    error = np.abs(dequantise(small, scale) - kernel).max(axis=-1)
    assert (error <= np.abs(kernel).max(axis=-1) / 254 * 1.0001).all()
    x = normal(7, 64, seed=1)
    one, product = (np.asarray(small[0]), np.asarray(scale[0])), jax.jit(matmul)
    assert np.allclose(product(x, *one), x @ np.asarray(dequantise(*one)).T, atol=1e-4)
    assert jax.eval_shape(matmul, x.astype(jnp.bfloat16), *one).dtype == jnp.bfloat16


def test_an_int8_base_is_half_of_bfloat16_and_near_it(tmp_path: Path) -> None:
    tiny = load_base(PLAIN)
    save_hf(tmp_path / "saved", tiny, *init_state(tiny, RunConfig(), 0), PLAIN.lora)
    wide = PLAIN.with_overrides({"model.source": str(tmp_path / "saved"), "train.dtype": "bfloat16"})
    small = wide.with_overrides({"model.base_dtype": "int8"})
    loaded = {name: load_base(config).params for name, config in (("wide", wide), ("small", small))}

    def layer_bytes(name: str) -> int:
        flat = nnx.to_flat_state(loaded[name])
        return sum(variable[...].nbytes for path, variable in flat if path[-1] in ("kernel", "scale"))

    assert layer_bytes("small") < 0.53 * layer_bytes("wide")
    quantised = dict(nnx.to_flat_state(init_state(tiny, PLAIN.with_overrides({"model.base_dtype": "int8"}), 0)[1]))
    for path, variable in nnx.to_flat_state(loaded["small"]):  # what is read is what is drawn, quantised
        assert np.array_equal(variable[...], np.asarray(quantised[path]).astype(variable.dtype)), path
    in_float32 = [config.with_overrides({"train.dtype": "float32"}) for config in (small, wide)]
    found, wanted = (
        hidden(build_decoder(tiny, config), *init_state(load_base(config), config, 0)) for config in in_float32
    )
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()


def test_an_int8_base_trains(library: ProgramLibrary, adapted: RunConfig) -> None:
    program, batch = library.training_program(adapted), library.trainset(adapted).batch(0, 0, 1, 4)
    hp = hyperparameters(adapted.with_overrides({"train.learning_rate": 0.02})) | {"lora.dropout": np.float32(0)}
    trainable, frozen, opt_state = program.init(0)
    losses = []
    for step in range(6):
        trainable, opt_state, metrics = program.step(trainable, opt_state, frozen, batch, hp, np.int32(step))
        losses.append(float(metrics["loss"]))
    assert losses[-1] < losses[0] - 0.3
    assert {leaf.dtype for leaf in jax.tree.leaves(frozen)} == {jnp.dtype("int8"), jnp.dtype("float32")}
