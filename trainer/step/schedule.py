"""Learning rates by step. The schedule is an input of the compiled program too: a choice, and the numbers it reads."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

Hyperparameters = Mapping[str, Any]  # dotted config key to a scalar: numpy outside the step, traced inside it


def learning_rate(hp: Hyperparameters, step: jax.Array) -> jax.Array:
    """The rate of `step`, counted from 0: linear warm-up that reaches the peak at its last step, then the schedule."""
    warmup = hp["train.warmup_steps"]
    warm = jnp.minimum(1.0, (step + 1) / jnp.maximum(warmup, 1))
    share = jax.lax.switch(hp["train.schedule"], list(SCHEDULES.values()), step - warmup, hp)
    return hp["train.learning_rate"] * warm * share


def _constant(since: jax.Array, hp: Hyperparameters) -> jax.Array:  # noqa: ARG001 - one signature for all
    return jnp.float32(1)


def _linear(since: jax.Array, hp: Hyperparameters) -> jax.Array:
    return _falling(1 - _progress(since, hp), hp)


def _cosine(since: jax.Array, hp: Hyperparameters) -> jax.Array:
    """Half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    return _falling(0.5 * (1 + jnp.cos(jnp.pi * _progress(since, hp))), hp)


def _wsd(since: jax.Array, hp: Hyperparameters) -> jax.Array:
    """Warm-up, stable, decay (Hu et al. 2024, arXiv 2404.06395): the peak, then a line down over the last share."""
    left = (1 - _progress(since, hp)) / jnp.maximum(hp["train.decay_fraction"], 1e-6)
    return _falling(jnp.minimum(1.0, left), hp)


def _inverse_sqrt(since: jax.Array, hp: Hyperparameters) -> jax.Array:
    """The peak at the end of warm-up, then falling with the square root of the steps (Vaswani et al. 2017, arXiv
    1706.03762); without a warm-up as with one of a single step. It knows no end."""
    warmup = jnp.maximum(hp["train.warmup_steps"], 1)
    return jnp.sqrt(warmup / (warmup + jnp.maximum(since, 0)))


# The share of the peak, `since` steps after the warm-up.
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


def _falling(share: jax.Array, hp: Hyperparameters) -> jax.Array:
    """`share`, from 1 to 0, as one that ends at the final fraction."""
    floor = hp["train.final_lr_fraction"]
    return floor + (1 - floor) * share
