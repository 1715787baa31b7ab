"""Optimizers whose hyperparameters are inputs of the compiled program instead of constants in it.

An optimizer is an update direction, an entry of `DIRECTIONS`. Gradient clipping before it, and weight decay and the
learning rate after it, are the same for all, so that their config keys mean the same for every optimizer.
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

# Muon's updates are scaled to the root mean square that AdamW's usually have, so that one learning rate suits both
# (Liu et al. 2025, arXiv 2502.16982).
MUON_RMS = 0.2


def hyperparameters(config: RunConfig) -> dict[str, np.ndarray]:
    """`config.traced()` as scalars of fixed dtypes, so that no value changes the program. A schedule is its index."""
    return {key: _scalar(value) for key, value in config.traced().items()}


def _scalar(value: Any) -> np.ndarray:
    if isinstance(value, str):
        return np.asarray(list(SCHEDULES).index(value), np.int32)
    return np.asarray(value, np.int32 if isinstance(value, int) else np.float32)


def build_optimizer(
    name: str, hp: Hyperparameters, rate: jax.typing.ArrayLike, flatten: bool = False
) -> optax.GradientTransformation:
    """Clipping by global norm, the direction, decoupled weight decay of matrices (Loshchilov and Hutter 2019, arXiv
    1711.05101), and the learning rate.

    With `flatten`, an elementwise direction updates all parameters as one vector, and its state is one vector, too.
    This is for adapters: each of their many small arrays would add kernels to compile. It copies the arrays, so it is
    not for large ones. Called inside the traced step with traced `hp` and `rate`; the result of `init` does not depend
    on their values.
    """
    direction = DIRECTIONS[name](hp)
    return optax.chain(
        optax.clip_by_global_norm(hp["train.clip_norm"]),
        optax.flatten(direction) if flatten and name in ELEMENTWISE else direction,
        optax.add_decayed_weights(hp["train.weight_decay"], mask=decay_mask),
        optax.scale_by_learning_rate(rate),
    )


def _adam(hp: Hyperparameters) -> optax.GradientTransformation:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980)."""
    return optax.scale_by_adam(hp["train.beta1"], hp["train.beta2"], hp["train.epsilon"])


def _adafactor(hp: Hyperparameters) -> optax.GradientTransformation:
    """Adafactor (Shazeer and Stern 2018, arXiv 1804.04235) without momentum.

    It keeps a row and a column of second moments per matrix. Updates are not scaled by the parameters' norm, which is 0
    for a new adapter.
    """
    return optax.chain(
        optax.scale_by_factored_rms(decay_rate=hp["train.adafactor_decay"]),
        optax.clip_by_block_rms(1.0),
    )


def _lion(hp: Hyperparameters) -> optax.GradientTransformation:
    """Lion (Chen et al. 2023, arXiv 2302.06675). Updates have the size of the rate, so use a tenth of AdamW's."""
    return optax.scale_by_lion(hp["train.beta1"], hp["train.beta2"])


def _sgd(hp: Hyperparameters) -> optax.GradientTransformation:
    return optax.trace(hp["train.momentum"])


def _muon(hp: Hyperparameters) -> optax.GradientTransformation:
    """Orthogonalised momentum (Jordan et al. 2024) for the layers' matrices; Adam for embeddings, norms and biases."""
    return muon(
        -1.0,  # a rate of -1 and no decay, because `build_optimizer` applies both
        beta=hp["train.momentum"],
        eps=hp["train.epsilon"],
        adam_b1=hp["train.beta1"],
        adam_b2=hp["train.beta2"],
        muon_weight_dimension_numbers=_stacks_of_matrices,
        consistent_rms=MUON_RMS,
    )


# From the clipped gradient to the update, before weight decay and learning rate.
DIRECTIONS: dict[str, Callable[[Hyperparameters], optax.GradientTransformation]] = {
    "adamw": _adam,
    "adafactor": _adafactor,
    "lion": _lion,
    "sgd": _sgd,
    "muon": _muon,
}
# A parameter's update depends on its own gradients only, not on shapes.
ELEMENTWISE = ("adamw", "lion", "sgd")


def decay_mask(params: Any) -> Any:
    """True for the parameters that weight decay applies to: kernels, embeddings and adapters, not norms and biases."""
    return jax.tree.map_with_path(lambda path, leaf: leaf.ndim - is_stacked(path) >= 2, params)


def _stacks_of_matrices(params: Any) -> Any:
    """The axes of each leaf that form a matrix, for Muon: (layers, out, in) is a stack of them. None: Adam is used."""
    per_layer = MuonDimensionNumbers(reduction_axis=-1, output_axis=-2)
    return jax.tree.map_with_path(lambda path, leaf: per_layer if is_stacked(path) and leaf.ndim >= 3 else None, params)
