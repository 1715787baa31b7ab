import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from podium.core.config import RunConfig
from trainer.optimizer import SCHEDULES, build_optimizer, hyperparameters, learning_rate, matrices

PARAMS = {
    "embedding": np.full((5, 4), 2.0, np.float32),
    "final_norm": {"weight": np.full(4, 2.0, np.float32)},
    "layers": {
        "q": {"kernel": np.full((3, 4, 4), 2.0, np.float32), "bias": np.full((3, 4), 2.0, np.float32)},
        "norm": {"weight": np.full((3, 4), 2.0, np.float32)},
    },
}


def rates(**train: object) -> list[float]:
    config = RunConfig().with_overrides({f"train.{name}": value for name, value in train.items()})
    hp = hyperparameters(config)
    at = jax.jit(learning_rate)
    return [float(at(hp, np.int32(step))) for step in range(config.train.max_steps)]


def test_constant_with_warmup_reaches_the_peak_at_the_last_warmup_step() -> None:
    found = rates(schedule="constant", learning_rate=1e-2, warmup_steps=4, max_steps=6)
    assert found == pytest.approx([2.5e-3, 5e-3, 7.5e-3, 1e-2, 1e-2, 1e-2])


def test_cosine_is_optax_cosine_from_the_end_of_warmup() -> None:
    found = rates(schedule="cosine", learning_rate=1e-2, warmup_steps=3, max_steps=10, final_lr_fraction=0.1)
    reference = optax.cosine_decay_schedule(1e-2, decay_steps=7, alpha=0.1)
    assert found[3:] == pytest.approx([float(reference(step)) for step in range(7)], rel=1e-5)
    assert found[2] == pytest.approx(1e-2)
    assert min(found[3:]) > 1e-3  # the last step is still worth taking


def test_warmup_over_every_step_and_none_at_all() -> None:
    assert rates(learning_rate=1.0, warmup_steps=3, max_steps=3) == pytest.approx([1 / 3, 2 / 3, 1])
    assert rates(learning_rate=1.0, warmup_steps=0, max_steps=2)[0] == 1.0


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


def test_only_matrices_decay() -> None:
    hp = hyperparameters(RunConfig().with_overrides({"train.weight_decay": 0.5}))
    optimizer = build_optimizer(hp, jnp.float32(0.1))
    zeros = jax.tree.map(np.zeros_like, PARAMS)
    updates, _ = optimizer.update(zeros, optimizer.init(PARAMS), PARAMS)
    decayed = {jax.tree_util.keystr(path): leaf.any() for path, leaf in jax.tree.leaves_with_path(updates)}
    assert {name for name, moved in decayed.items() if moved} == {"['embedding']", "['layers']['q']['kernel']"}
    assert float(updates["embedding"][0, 0]) == pytest.approx(-0.1 * 0.5 * 2.0)


def test_traced_adamw_moves_as_one_with_constants_does() -> None:
    config = RunConfig().with_overrides(
        {"train.beta1": 0.8, "train.beta2": 0.9, "train.weight_decay": 0.1, "train.clip_norm": 0.5}
    )
    hp = hyperparameters(config)

    @jax.jit
    def traced(gradients: dict, state: tuple, hp: dict) -> tuple:
        return build_optimizer(hp, hp["train.learning_rate"]).update(gradients, state, PARAMS)

    reference = optax.chain(
        optax.clip_by_global_norm(0.5), optax.adamw(3e-4, 0.8, 0.9, 1e-8, weight_decay=0.1, mask=matrices)
    )
    state = other_state = reference.init(PARAMS)
    for scale in (0.01, 3.0):  # under and over the clip norm
        gradients = jax.tree.map(lambda x, scale=scale: x * np.float32(scale), PARAMS)
        updates, state = traced(gradients, state, hp)
        expected, other_state = reference.update(gradients, other_state, PARAMS)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), updates, expected)
