"""Sampler `gp`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuning.search.samplers.base import BaseOptions, SampledSpace, quietly

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class GpSampler(BaseOptions):
    """A Gaussian process with expected improvement; conditional parameters are drawn at random."""

    REQUIRED_PACKAGE = ("torch", "gp")
    name: Literal["gp"] = "gp"
    n_startup_trials: int = Field(10, ge=1, description="drawn at random first")

    def build(self, seed: int, index: int, space: SampledSpace) -> "BaseSampler":  # noqa: ARG002
        from optuna.samplers import GPSampler

        options = {"deterministic_objective": False, "warn_independent_sampling": False}
        return quietly(GPSampler, seed=seed, n_startup_trials=self.n_startup_trials, **options)
