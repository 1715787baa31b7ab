"""Sampler `tpe`, the default."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuning.search.samplers.base import BaseOptions, SampledSpace, quietly

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class TpeSampler(BaseOptions):
    """Tree-structured Parzen estimator (Bergstra et al. 2011): multivariate, with a constant liar."""

    name: Literal["tpe"] = "tpe"
    n_startup_trials: int = Field(10, ge=1, description="drawn at random before the model is used")

    def build(self, seed: int, index: int, space: SampledSpace) -> "BaseSampler":  # noqa: ARG002
        from tuning.search.samplers.cached_tpe import CachedTpe

        # `group` keeps the multivariate model if trials do not all have the same parameters.
        options = {"multivariate": True, "group": True, "constant_liar": True}
        return quietly(CachedTpe, seed=seed, n_startup_trials=self.n_startup_trials, **options)
