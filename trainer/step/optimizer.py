"""Optimizers whose every hyperparameter is an input of the compiled program instead of a constant in it.

One of them is a direction, an entry of `DIRECTIONS`. Clipping before it, and weight decay and the learning rate after
it, are the same for all, so that those keys mean the same whatever the optimizer.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
from optax.contrib import MuonDimensionNumbers, muon

from podium.core.config import RunConfig
from trainer.device.sharding import is_stacked
from trainer.step.schedule import SCHEDULES, Hyperparameters

# Muon's updates get the root mean square that AdamW's usually have, so that a learning rate suits both (Liu et al.
# 2025, arXiv 2502.16982).
MUON_RMS = 0.2


def hyperparameters(config: RunConfig) -> dict[str, np.ndarray]:
    """`config.traced()` as scalars of fixed types, so that no value changes a program; a choice becomes its index."""
    return {key: _scalar(value) for key, value in config.traced().items()}


def _scalar(value: Any) -> np.ndarray:
    if isinstance(value, str):
        return np.asarray(list(SCHEDULES).index(value), np.int32)
    return np.asarray(value, np.int32 if isinstance(value, int) else np.float32)


def build_optimizer(
    name: str, hp: Hyperparameters, rate: jax.typing.ArrayLike, as_one: bool = False
) -> optax.GradientTransformation:
    """Clipping by global norm, the direction, decay of matrices apart from it (Loshchilov and Hutter 2019, arXiv
    1711.05101), and the rate.

    With `as_one` a direction that looks at no shape works on all parameters as one vector, and its state is one. That
    is for adapters: many small arrays, each of which would have kernels of its own to compile. Large ones it copies.
    Called inside the traced step, so `hp` and `rate` are traced; what `init` returns does not depend on their values.
    """
    direction = DIRECTIONS[name](hp)
    return optax.chain(
        optax.clip_by_global_norm(hp["train.clip_norm"]),
        optax.flatten(direction) if as_one and name in OF_EACH_NUMBER else direction,
        optax.add_decayed_weights(hp["train.weight_decay"], mask=matrices),
        optax.scale_by_learning_rate(rate),
    )


def _adam(hp: Hyperparameters) -> optax.GradientTransformation:
    """Kingma and Ba 2015, arXiv 1412.6980."""
    return optax.scale_by_adam(hp["train.beta1"], hp["train.beta2"], hp["train.epsilon"])


def _adafactor(hp: Hyperparameters) -> optax.GradientTransformation:
    """Shazeer and Stern 2018, arXiv 1804.04235, without momentum: a row and a column of second moments a matrix.

    Updates are not multiplied by the parameters' size, which is 0 where an adapter starts.
    """
    return optax.chain(
        optax.scale_by_factored_rms(decay_rate=hp["train.adafactor_decay"]),
        optax.clip_by_block_rms(1.0),
    )


def _lion(hp: Hyperparameters) -> optax.GradientTransformation:
    """Chen et al. 2023, arXiv 2302.06675. Every update has the size of the rate: a tenth of AdamW's suits it."""
    return optax.scale_by_lion(hp["train.beta1"], hp["train.beta2"])


def _sgd(hp: Hyperparameters) -> optax.GradientTransformation:
    return optax.trace(hp["train.momentum"])


def _muon(hp: Hyperparameters) -> optax.GradientTransformation:
    """Momentum made orthogonal (Jordan et al. 2024) for the layers' matrices; Adam for embeddings, norms and biases."""
    return muon(
        -1.0,  # `scale_by_learning_rate` turns the sign: its own rate and decay leave the update as it is
        beta=hp["train.momentum"],
        eps=hp["train.epsilon"],
        adam_b1=hp["train.beta1"],
        adam_b2=hp["train.beta2"],
        muon_weight_dimension_numbers=_stacks_of_matrices,
        consistent_rms=MUON_RMS,
    )


# What becomes of the clipped gradient before decay and rate.
DIRECTIONS: dict[str, Callable[[Hyperparameters], optax.GradientTransformation]] = {
    "adamw": _adam,
    "adafactor": _adafactor,
    "lion": _lion,
    "sgd": _sgd,
    "muon": _muon,
}
OF_EACH_NUMBER = ("adamw", "lion", "sgd")  # a number's update follows from its own gradients, whatever the shapes


def matrices(params: Any) -> Any:
    """True where weight decay applies: kernels, embeddings and adapters, but no norm's weight and no bias."""
    return jax.tree.map_with_path(lambda path, leaf: leaf.ndim - is_stacked(path) >= 2, params)


def _stacks_of_matrices(params: Any) -> Any:
    """Which axes of a leaf are one matrix, for Muon: (layers, out, in) are `layers` of them. None where Adam serves."""
    one_each_layer = MuonDimensionNumbers(reduction_axis=-1, output_axis=-2)
    return jax.tree.map_with_path(
        lambda path, leaf: one_each_layer if is_stacked(path) and leaf.ndim >= 3 else None, params
    )
