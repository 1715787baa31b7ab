"""Samplers: which configuration to try next. One class each, holding its options and building Optuna's object."""

import warnings
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag

from podium.core.config import Section
from tuning.variants import variant_name

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class RandomSampler(Section):
    """Every configuration is drawn independently of what was seen."""

    name: Literal["random"] = "random"
    seed: int = Field(0, ge=0)

    def build(self, seed: int) -> "BaseSampler":
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)


class TpeSampler(Section):
    """Tree-structured Parzen estimator (Bergstra et al. 2011): multivariate, trials in flight count as a lie."""

    name: Literal["tpe"] = "tpe"
    seed: int = Field(0, ge=0)
    n_startup_trials: int = Field(10, ge=1, description="drawn at random before the model is trusted")

    def build(self, seed: int) -> "BaseSampler":
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import TPESampler

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            # `group` keeps the multivariate model when not all trials have the same parameters: the baseline may not.
            return TPESampler(
                seed=seed, n_startup_trials=self.n_startup_trials, multivariate=True, group=True, constant_liar=True
            )


Sampler = Annotated[
    Annotated[TpeSampler, Tag("tpe")] | Annotated[RandomSampler, Tag("random")],
    Discriminator(variant_name, custom_error_type="sampler", custom_error_message="must be one of tpe, random"),
]


def seed_for(sampler: TpeSampler | RandomSampler, trial: int) -> int:
    """Follows from (study seed, trial number) alone, so that a resumed study goes on as if nothing had happened."""
    from numpy.random import SeedSequence

    return int(SeedSequence((sampler.seed, trial)).generate_state(1)[0])
