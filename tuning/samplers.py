"""Samplers: which configuration to try next. One class each, holding its options and building Optuna's object.

`build` is called before each proposal: what a sampler proposes follows from its seed, the proposal's number and what
the study's storage holds, so that a resumed study goes on as if nothing had happened.
"""

import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from podium.core.config_sections import Section
from podium.core.errors import UsageError
from tuning.points import grid_point, grid_size, sobol_point
from tuning.variants import variant_name

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from tuning.space import SearchSpace


class BaseOptions(Section):
    """What all have in common."""

    SEVERAL: ClassVar[bool] = True  # whether it can have several objectives
    PACKAGE: ClassVar[tuple[str, str] | None] = None  # one that Podium does not bring, and the extra that does
    seed: int = Field(0, ge=0)

    def require(self) -> None:
        """Raises UsageError where the package that it needs is not installed."""
        if self.PACKAGE and find_spec(self.PACKAGE[0]) is None:
            package, extra = self.PACKAGE
            name = getattr(self, "name", "")
            raise UsageError(
                f"sampler {name!r} needs the package {package!r}, which podium[{extra}] installs; "
                "install it, or choose another sampler"
            )

    def size(self, space: "SearchSpace") -> int | None:  # noqa: ARG002
        """How many configurations there are for it; None where there is no end. Raises UsageError."""
        return None


class RandomSampler(BaseOptions):
    """Every configuration is drawn independently of what was seen."""

    name: Literal["random"] = "random"

    def build(self, seed: int, index: int, space: "SearchSpace") -> "BaseSampler":  # noqa: ARG002
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)


class TpeSampler(BaseOptions):
    """Tree-structured Parzen estimator (Bergstra et al. 2011): multivariate, trials in flight count as a lie."""

    name: Literal["tpe"] = "tpe"
    n_startup_trials: int = Field(10, ge=1, description="drawn at random before the model is trusted")

    def build(self, seed: int, index: int, space: "SearchSpace") -> "BaseSampler":  # noqa: ARG002
        from tuning.tpe import Tpe

        # `group` keeps the multivariate model where trials do not all have the same parameters.
        options = {"multivariate": True, "group": True, "constant_liar": True}
        return _quietly(Tpe, seed=seed, n_startup_trials=self.n_startup_trials, **options)


class QmcSampler(BaseOptions):
    """A scrambled Sobol sequence: like random, but without gaps and clusters. Learns nothing from scores."""

    name: Literal["qmc"] = "qmc"

    def build(self, seed: int, index: int, space: "SearchSpace") -> "BaseSampler":
        # Those that are told part of what to draw take the points before 0 for the rest: no two have the same one.
        told = int(space.baseline) + len(space.start_with)
        return _fixed(sobol_point(space, self.seed, max(0, told + index)), seed)


class GridSampler(BaseOptions):
    """Every combination once, in an order that the seed shuffles; ends when all were tried."""

    name: Literal["grid"] = "grid"

    def build(self, seed: int, index: int, space: "SearchSpace") -> "BaseSampler":
        return _fixed(grid_point(space, self.seed, max(0, index)), seed)

    def size(self, space: "SearchSpace") -> int:
        return grid_size(space)


class NsgaSampler(BaseOptions):
    """Evolution by non-dominated sorting, NSGA-II (Deb et al. 2002), with the constraints."""

    name: Literal["nsga2"] = "nsga2"
    population_size: int = Field(10, ge=2, description="trials a generation; the first is random")

    def build(self, seed: int, index: int, space: "SearchSpace") -> "BaseSampler":  # noqa: ARG002
        from optuna.samplers import NSGAIISampler

        return _quietly(NSGAIISampler, seed=seed, population_size=self.population_size)


class CmaEsSampler(BaseOptions):
    """Covariance matrix adaptation (Hansen 2001), for numbers; what is categorical or conditional is random."""

    SEVERAL = False
    PACKAGE = ("cmaes", "samplers")
    name: Literal["cmaes"] = "cmaes"
    n_startup_trials: int = Field(4, ge=1, description="drawn at random first")

    def build(self, seed: int, index: int, space: "SearchSpace") -> "BaseSampler":  # noqa: ARG002
        from optuna.samplers import CmaEsSampler

        # It says so at every trial that is told; docs/sweeps.md says it once.
        warnings.filterwarnings("ignore", message="Constraints have been set, but CmaEsSampler")
        options = {"consider_pruned_trials": True, "warn_independent_sampling": False}
        return _quietly(CmaEsSampler, seed=seed, n_startup_trials=self.n_startup_trials, **options)


class GpSampler(BaseOptions):
    """A Gaussian process with expected improvement; what is conditional is drawn at random."""

    PACKAGE = ("torch", "gp")
    name: Literal["gp"] = "gp"
    n_startup_trials: int = Field(10, ge=1, description="drawn at random first")

    def build(self, seed: int, index: int, space: "SearchSpace") -> "BaseSampler":  # noqa: ARG002
        from optuna.samplers import GPSampler

        options = {"deterministic_objective": False, "warn_independent_sampling": False}
        return _quietly(GPSampler, seed=seed, n_startup_trials=self.n_startup_trials, **options)


Sampler = Annotated[
    Annotated[TpeSampler, Tag("tpe")]
    | Annotated[RandomSampler, Tag("random")]
    | Annotated[QmcSampler, Tag("qmc")]
    | Annotated[GridSampler, Tag("grid")]
    | Annotated[NsgaSampler, Tag("nsga2")]
    | Annotated[CmaEsSampler, Tag("cmaes")]
    | Annotated[GpSampler, Tag("gp")],
    Discriminator(
        variant_name,
        custom_error_type="sampler",
        custom_error_message="must be one of tpe, random, qmc, grid, nsga2, cmaes, gp",
    ),
]


def sampler_for(space: "SearchSpace", trial: int, index: int) -> "BaseSampler":
    """Optuna's sampler for one trial; `index` counts the sampler's own proposals from 0, and is below 0 for trials that
    were told what to draw.
    """
    return space.sampler.build(seed_for(space.sampler, trial), index, space)


def seed_for(sampler: BaseOptions, trial: int) -> int:
    """Follows from (study seed, trial number) alone."""
    from numpy.random import SeedSequence

    return int(SeedSequence((sampler.seed, trial)).generate_state(1)[0])


def _fixed(params: dict[str, Any], seed: int) -> "BaseSampler":
    """Proposes exactly `params`."""
    from optuna.samplers import PartialFixedSampler, RandomSampler

    return _quietly(PartialFixedSampler, params, RandomSampler(seed=seed))


def _quietly(make: Any, *arguments: Any, **options: Any) -> Any:
    """Without Optuna's warning that what we use is experimental; its version is pinned."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return make(*arguments, **options)
