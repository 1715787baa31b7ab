"""Dynamic loss scaling for float16, in which small gradients vanish (Micikevicius et al. 2018, arXiv 1710.03740)."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

START = 2.0**6  # for the loss summed over a micro-batch; equals the usual 2**15 for a mean over some hundred tokens
SMALLEST = 1.0  # at this scale, an overflow has another cause
GROW_AFTER = 200  # consecutive steps without an overflow


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LossScale:
    """The factor that multiplies the loss before differentiation; the gradients are divided by it."""

    factor: Array  # () float32
    n_good: Array  # () int32, steps since the factor last changed

    def after(self, good: Array) -> "LossScale":
        """Halve the factor after an overflow, double it after GROW_AFTER good steps."""
        n_good = jnp.where(good, self.n_good + 1, 0)
        grows = n_good == GROW_AFTER
        factor = jnp.where(good, jnp.where(grows, self.factor * 2, self.factor), self.factor / 2)
        return LossScale(jnp.maximum(factor, SMALLEST), jnp.where(grows, 0, n_good))


def initial_scale(dtype: jax.typing.DTypeLike) -> LossScale | None:
    """None for a dtype with the range of float32, which needs no scaling."""
    if jnp.dtype(dtype) != jnp.float16:
        return None
    return LossScale(jnp.float32(START), jnp.int32(0))
