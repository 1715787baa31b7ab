"""Sampler `random`."""

from typing import TYPE_CHECKING, Literal

from tuning.search.samplers.base import BaseOptions, SampledSpace

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class RandomSampler(BaseOptions):
    """Every configuration is drawn independently of the others."""

    name: Literal["random"] = "random"

    def build(self, seed: int, index: int, space: SampledSpace) -> "BaseSampler":  # noqa: ARG002
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)
