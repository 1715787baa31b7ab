"""Sampler `qmc`."""

from typing import TYPE_CHECKING, Any, Literal

from tuning.search.samplers.base import BaseOptions, SampledSpace, fixed

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class QmcSampler(BaseOptions):
    """A scrambled Sobol sequence: like random, but without gaps and clusters. Learns nothing from scores."""

    name: Literal["qmc"] = "qmc"

    def build(self, seed: int, index: int, space: SampledSpace) -> "BaseSampler":
        # Those that are told part of what to draw take the points before 0 for the rest: no two have the same one.
        told = int(space.baseline) + len(space.start_with)
        return fixed(sobol_point(space, self.seed, max(0, told + index)), seed)


def sobol_point(space: SampledSpace, seed: int, index: int) -> dict[str, Any]:
    """What point `index` of a scrambled Sobol sequence stands for, as Optuna spells it."""
    drawn = [key for key, parameter in space.parameters.items() if parameter.is_drawn]
    coordinates = dict(zip(drawn, _sobol(len(drawn), seed, index), strict=True))
    # Those of parameters that turn out not to be there are dropped.
    return space.params({key: space.parameters[key].at(coordinates[key]) for key in drawn})


def _sobol(dimensions: int, seed: int, index: int) -> list[float]:
    """In [0, 1), one a dimension (Sobol 1967, scrambled by Owen 1998)."""
    from scipy.stats.qmc import Sobol

    sequence = Sobol(dimensions, scramble=True, rng=seed)
    if index:
        sequence.fast_forward(index)
    return [float(value) for value in sequence.random(1)[0]]
