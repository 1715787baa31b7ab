"""Sampler `cmaes`."""

import warnings
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuning.search.samplers.base import BaseOptions, SampledSpace, quietly

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class CmaEsSampler(BaseOptions):
    """CMA-ES (Hansen 2001), for numbers; categorical and conditional parameters are drawn at random."""

    MULTI_OBJECTIVE = False
    REQUIRED_PACKAGE = ("cmaes", "samplers")
    name: Literal["cmaes"] = "cmaes"
    n_startup_trials: int = Field(4, ge=1, description="drawn at random first")

    def build(self, seed: int, index: int, space: SampledSpace) -> "BaseSampler":  # noqa: ARG002
        from optuna.samplers import CmaEsSampler

        # Optuna warns at every trial; docs/samplers_and_schedulers.md says it once.
        warnings.filterwarnings("ignore", message="Constraints have been set, but CmaEsSampler")
        options = {"consider_pruned_trials": True, "warn_independent_sampling": False}
        return quietly(CmaEsSampler, seed=seed, n_startup_trials=self.n_startup_trials, **options)
