"""AdamW and its schedules, with every hyperparameter an input of the compiled program instead of a constant in it."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from podium.core.config import RunConfig

Hyperparameters = Mapping[str, Any]  # dotted config key to a scalar: numpy outside the step, traced inside it


def hyperparameters(config: RunConfig) -> dict[str, np.ndarray]:
    """`config.traced()` as scalars of fixed types, so that no value changes a program; a choice becomes its index."""
    return {key: _scalar(value) for key, value in config.traced().items()}


def _scalar(value: Any) -> np.ndarray:
    if isinstance(value, str):
        return np.asarray(list(SCHEDULES).index(value), np.int32)
    return np.asarray(value, np.int32 if isinstance(value, int) else np.float32)


def _constant(progress: jax.Array, hp: Hyperparameters) -> jax.Array:  # noqa: ARG001 - one signature for all
    return jnp.ones_like(progress)


def _cosine(progress: jax.Array, hp: Hyperparameters) -> jax.Array:
    """Half a cosine from 1 down to the final fraction (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    floor = hp["train.final_lr_fraction"]
    return floor + (1 - floor) * 0.5 * (1 + jnp.cos(jnp.pi * progress))


# The share of the peak that is left at `progress`, 0 when warm-up ends and 1 after the last step.
SCHEDULES: dict[str, Callable[[jax.Array, Hyperparameters], jax.Array]] = {"constant": _constant, "cosine": _cosine}


def learning_rate(hp: Hyperparameters, step: jax.Array) -> jax.Array:
    """The rate of `step`, counted from 0: linear warm-up that reaches the peak at its last step, then the schedule."""
    warmup = hp["train.warmup_steps"]
    warm = jnp.minimum(1.0, (step + 1) / jnp.maximum(warmup, 1))
    progress = jnp.clip((step - warmup) / jnp.maximum(hp["train.max_steps"] - warmup, 1), 0.0, 1.0)
    share = jax.lax.switch(hp["train.schedule"], list(SCHEDULES.values()), progress, hp)
    return hp["train.learning_rate"] * warm * share


def build_optimizer(hp: Hyperparameters, rate: jax.Array) -> optax.GradientTransformation:
    """Clipping by global norm, then AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) with decay on matrices only.

    Called inside the traced step, so `hp` and `rate` are traced; what `init` returns does not depend on their values.
    """
    return optax.chain(
        optax.clip_by_global_norm(hp["train.clip_norm"]),
        optax.adamw(
            rate,
            b1=hp["train.beta1"],
            b2=hp["train.beta2"],
            eps=hp["train.epsilon"],
            weight_decay=hp["train.weight_decay"],
            mask=matrices,
        ),
    )


def matrices(params: Any) -> Any:
    """True where weight decay applies: kernels, embeddings and adapters, but no norm's weight and no bias.

    The arrays of the layers are stacked, so below `layers` a matrix has three axes.
    """

    def is_matrix(path: tuple, leaf: jax.Array) -> bool:
        stacked = "layers" in jax.tree_util.keystr(path, simple=True, separator=".").split(".")
        return leaf.ndim - stacked >= 2

    return jax.tree.map_with_path(is_matrix, params)
