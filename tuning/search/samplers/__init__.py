"""Samplers propose the configuration to try next. Each file has the options of one and builds its Optuna sampler."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Discriminator, Tag

from tuning.search.samplers.base import SampledSpace, seed_for
from tuning.search.samplers.cmaes import CmaEsSampler
from tuning.search.samplers.gp import GpSampler
from tuning.search.samplers.grid import GridSampler
from tuning.search.samplers.nsga2 import NsgaSampler
from tuning.search.samplers.python import PythonSampler
from tuning.search.samplers.qmc import QmcSampler
from tuning.search.samplers.random import RandomSampler
from tuning.search.samplers.tpe import TpeSampler
from tuning.search.variants import variant_name

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

Sampler = Annotated[
    Annotated[TpeSampler, Tag("tpe")]
    | Annotated[RandomSampler, Tag("random")]
    | Annotated[QmcSampler, Tag("qmc")]
    | Annotated[GridSampler, Tag("grid")]
    | Annotated[NsgaSampler, Tag("nsga2")]
    | Annotated[CmaEsSampler, Tag("cmaes")]
    | Annotated[GpSampler, Tag("gp")]
    | Annotated[PythonSampler, Tag("python")],
    Discriminator(
        variant_name,
        custom_error_type="sampler",
        custom_error_message="must be one of tpe, random, qmc, grid, nsga2, cmaes, gp, or {python: 'pkg.module:make'}",
    ),
]


def sampler_for(sampler: Sampler, space: SampledSpace, trial: int, index: int) -> "BaseSampler":
    """The Optuna sampler for one trial. `index` counts the sampler's own proposals from 0; it is negative for enqueued
    trials."""
    return sampler.build(seed_for(sampler, trial), index, space)
