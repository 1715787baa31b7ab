"""Learning rate schedules. The choice of a schedule and its numbers are inputs of the compiled program."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

Hyperparameters = Mapping[str, Any]  # dotted config key to scalar: numpy outside the step, traced inside


def learning_rate(hp: Hyperparameters, step: jax.Array) -> jax.Array:
    """The rate of `step`, counted from 0: linear warm-up that reaches the peak at its last step, then the schedule."""
    warmup = hp["train.warmup_steps"]
    warm = jnp.minimum(1.0, (step + 1) / jnp.maximum(warmup, 1))
    scale = jax.lax.switch(hp["train.schedule"], list(SCHEDULES.values()), step - warmup, hp)
    return hp["train.learning_rate"] * warm * scale


def _constant(since: jax.Array, hp: Hyperparameters) -> jax.Array:  # noqa: ARG001 - one signature for all
    return jnp.float32(1)


def _linear(since: jax.Array, hp: Hyperparameters) -> jax.Array:
    return _with_floor(1 - _progress(since, hp), hp)


def _cosine(since: jax.Array, hp: Hyperparameters) -> jax.Array:
    """Half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    return _with_floor(0.5 * (1 + jnp.cos(jnp.pi * _progress(since, hp))), hp)


def _wsd(since: jax.Array, hp: Hyperparameters) -> jax.Array:
    """Warm-up, stable, decay (Hu et al. 2024, arXiv 2404.06395): the peak, then a linear decay over the last steps."""
    left = (1 - _progress(since, hp)) / jnp.maximum(hp["train.decay_fraction"], 1e-6)
    return _with_floor(jnp.minimum(1.0, left), hp)


def _inverse_sqrt(since: jax.Array, hp: Hyperparameters) -> jax.Array:
    """The peak at the end of warm-up, then decay with the square root of the steps (Vaswani et al. 2017, arXiv
    1706.03762). No warm-up counts as one step of it. Does not depend on train.max_steps."""
    warmup = jnp.maximum(hp["train.warmup_steps"], 1)
    return jnp.sqrt(warmup / (warmup + jnp.maximum(since, 0)))


# Each returns the fraction of the peak, `since` steps after the warm-up.
SCHEDULES: dict[str, Callable[[jax.Array, Hyperparameters], jax.Array]] = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "wsd": _wsd,
    "inverse_sqrt": _inverse_sqrt,
}


def _progress(since: jax.Array, hp: Hyperparameters) -> jax.Array:
    """0 when warm-up ends and 1 after the last step."""
    return jnp.clip(since / jnp.maximum(hp["train.max_steps"] - hp["train.warmup_steps"], 1), 0.0, 1.0)


def _with_floor(fraction: jax.Array, hp: Hyperparameters) -> jax.Array:
    """Map a fraction that falls from 1 to 0 to one that falls from 1 to train.final_lr_fraction."""
    floor = hp["train.final_lr_fraction"]
    return floor + (1 - floor) * fraction
