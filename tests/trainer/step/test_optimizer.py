from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from podium.core.config import RunConfig
from trainer.step.optimizer import DIRECTIONS, ELEMENTWISE, build_optimizer, decay_mask, hyperparameters
from trainer.step.schedule import SCHEDULES

PARAMS = {
    "embedding": np.full((5, 4), 2.0, np.float32),
    "final_norm": {"weight": np.full(4, 2.0, np.float32)},
    "layers": {
        "q": {"kernel": np.full((3, 4, 4), 2.0, np.float32), "bias": np.full((3, 4), 2.0, np.float32)},
        "norm": {"weight": np.full((3, 4), 2.0, np.float32)},
    },
}
# Every traced key of the optimizer, away from its default.
CHANGED = {
    **{"train.learning_rate": 0.02, "train.weight_decay": 0.1, "train.clip_norm": 0.5, "train.epsilon": 1e-6},
    **{"train.beta1": 0.8, "train.beta2": 0.9, "train.momentum": 0.5, "train.adafactor_decay": 0.6},
}


def stepper(name: str) -> Callable[..., tuple]:
    """`step(params, state, gradients, hp) -> (params, state)` at the peak of the learning rate.

    Compiled ahead of time, so that what would need another program is refused.
    """

    def step(params: dict, state: tuple, gradients: dict, hp: dict) -> tuple:
        updates, state = build_optimizer(name, hp, hp["train.learning_rate"]).update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    return jax.jit(step).lower(PARAMS, start(name, PARAMS), PARAMS, hyperparameters(RunConfig())).compile()


def start(name: str, params: dict) -> tuple:
    return build_optimizer(name, hyperparameters(RunConfig()), jnp.float32(0)).init(params)


def noise(seed: int) -> dict:
    draw = np.random.default_rng(seed)
    return jax.tree.map(lambda x: draw.normal(size=x.shape).astype(np.float32), PARAMS)


def test_hyperparameters_are_scalars_of_one_type_each_whatever_the_values() -> None:
    one = hyperparameters(RunConfig())
    other = hyperparameters(
        RunConfig().with_overrides({"train.learning_rate": 1, "train.schedule": "constant", "train.seed": 5})
    )
    assert set(one) == set(RunConfig().traced())
    assert {key: (value.dtype, value.shape) for key, value in one.items()} == {
        key: (value.dtype, value.shape) for key, value in other.items()
    }
    assert (one["train.schedule"], other["train.schedule"]) == (
        list(SCHEDULES).index("cosine"),
        list(SCHEDULES).index("constant"),
    )


@pytest.mark.parametrize("name", DIRECTIONS)
def test_each_learns_and_no_changed_value_compiles(name: str) -> None:
    """Towards a target from a point beside it, by the gradients of half the squared distance."""
    params, target, step = noise(1), noise(2), stepper(name)
    state = start(name, params)

    def distance() -> float:
        return float(optax.tree.norm(jax.tree.map(np.subtract, params, target)))

    before = distance()
    for rate in (0.3, 0.1, 0.03, 0.01):
        hp = hyperparameters(RunConfig().with_overrides({"train.learning_rate": rate, "train.clip_norm": 1e3}))
        for _ in range(100):
            params, state = step(params, state, jax.tree.map(np.subtract, params, target), hp)
    assert distance() < 0.1 * before
    changed, _ = step(params, state, target, hyperparameters(RunConfig().with_overrides(CHANGED)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(changed))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("adamw", ["beta1", "beta2", "epsilon"]),
        ("adafactor", ["adafactor_decay"]),
        ("lion", ["beta1", "beta2"]),
        ("sgd", ["momentum"]),
        ("muon", ["momentum", "beta1", "beta2"]),
    ],
)
def test_each_key_that_is_said_to_matter_does(name: str, keys: list[str]) -> None:
    step = stepper(name)

    def after_four(overrides: dict) -> dict:
        hp, params, state = hyperparameters(RunConfig().with_overrides(overrides)), PARAMS, start(name, PARAMS)
        for seed in range(4):
            params, state = step(params, state, noise(seed), hp)
        return params

    usual = after_four({})
    for key in [*keys, "learning_rate", "weight_decay"]:
        changed = after_four({f"train.{key}": 0.5 if key == "epsilon" else CHANGED[f"train.{key}"]})
        assert not all(jax.tree.leaves(jax.tree.map(np.array_equal, usual, changed))), key


@pytest.mark.parametrize("name", DIRECTIONS)
def test_only_matrices_decay_and_alike(name: str) -> None:
    hp = hyperparameters(RunConfig().with_overrides({"train.weight_decay": 0.5}))
    optimizer = build_optimizer(name, hp, jnp.float32(0.1))
    zeros = jax.tree.map(np.zeros_like, PARAMS)
    updates, _ = jax.jit(optimizer.update)(zeros, optimizer.init(PARAMS), PARAMS)
    moved = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree.leaves_with_path(updates) if leaf.any()}
    assert set(moved) == {"['embedding']", "['layers']['q']['kernel']"}
    for leaf in moved.values():
        np.testing.assert_allclose(leaf, -0.1 * 0.5 * 2.0, rtol=1e-6)
    assert decay_mask(PARAMS)["layers"]["q"] == {"kernel": True, "bias": False}


def test_traced_adamw_moves_as_one_with_constants_does() -> None:
    config = RunConfig().with_overrides(
        {"train.beta1": 0.8, "train.beta2": 0.9, "train.weight_decay": 0.1, "train.clip_norm": 0.5}
    )
    hp, step = hyperparameters(config), stepper("adamw")
    reference = optax.chain(
        optax.clip_by_global_norm(0.5), optax.adamw(3e-4, 0.8, 0.9, 1e-8, weight_decay=0.1, mask=decay_mask)
    )
    params, other, update = PARAMS, PARAMS, jax.jit(reference.update)
    state, other_state = start("adamw", PARAMS), reference.init(PARAMS)
    for scale in (0.01, 3.0):  # under and over the clip norm
        gradients = jax.tree.map(lambda x, scale=scale: x * np.float32(scale), PARAMS)
        params, state = step(params, state, gradients, hp)
        updates, other_state = update(gradients, other_state, other)
        other = optax.apply_updates(other, updates)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), params, other)


def test_muon_makes_every_layer_orthogonal_by_itself() -> None:
    gradients = noise(3)
    gradients["layers"]["q"]["kernel"][1] *= 1000  # one layer's size is no other's business
    hp = hyperparameters(RunConfig().with_overrides({"train.clip_norm": 1e9}))
    optimizer = build_optimizer("muon", hp, jnp.float32(-1))
    updates, _ = jax.jit(optimizer.update)(gradients, optimizer.init(PARAMS), PARAMS)
    for update in np.asarray(updates["layers"]["q"]["kernel"]):
        singular = np.linalg.svd(update / (0.2 * 4**0.5), compute_uv=False)  # (4,), of MUON_RMS and the wider side
        assert (singular > 0.5).all() and (singular < 1.4).all()  # five Newton-Schulz steps come this near to 1


def test_adafactor_keeps_a_row_and_a_column_of_a_large_matrix() -> None:
    large = {"layers": {"q": {"kernel": np.ones((2, 256, 128), np.float32)}}}
    state = start("adafactor", large)
    assert sum(np.size(leaf) for leaf in jax.tree.leaves(state)) < 0.02 * large["layers"]["q"]["kernel"].size


@pytest.mark.parametrize("name", DIRECTIONS)
def test_as_one_vector_the_updates_are_the_same(name: str) -> None:
    hp = hyperparameters(RunConfig().with_overrides(CHANGED))
    apart, as_one = (build_optimizer(name, hp, jnp.float32(0.1), flatten=as_one) for as_one in (False, True))
    wanted, found = apart.init(PARAMS), as_one.init(PARAMS)
    update_apart, update_as_one = jax.jit(apart.update), jax.jit(as_one.update)
    for seed in range(2):
        of_apart, wanted = update_apart(noise(seed), wanted, PARAMS)
        of_one, found = update_as_one(noise(seed), found, PARAMS)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), of_apart, of_one)
    assert (len(jax.tree.leaves(found)) < len(jax.tree.leaves(wanted))) == (name in ELEMENTWISE)
