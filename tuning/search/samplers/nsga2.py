"""Sampler `nsga2`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuning.search.samplers.base import BaseOptions, SampledSpace, quietly

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class NsgaSampler(BaseOptions):
    """NSGA-II, evolution by non-dominated sorting (Deb et al. 2002), with the constraints."""

    name: Literal["nsga2"] = "nsga2"
    population_size: int = Field(10, ge=2, description="trials per generation; the first generation is random")

    def build(self, seed: int, index: int, space: SampledSpace) -> "BaseSampler":  # noqa: ARG002
        from optuna.samplers import NSGAIISampler

        return quietly(NSGAIISampler, seed=seed, population_size=self.population_size)
