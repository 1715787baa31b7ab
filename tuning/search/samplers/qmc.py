"""Sampler `qmc`."""

from typing import TYPE_CHECKING, Any, Literal

from tuning.search.samplers.base import BaseOptions, SampledSpace, fixed

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class QmcSampler(BaseOptions):
    """A scrambled Sobol sequence: like random, but without gaps and clusters. It does not use the scores."""

    name: Literal["qmc"] = "qmc"

    def build(self, seed: int, index: int, space: SampledSpace) -> "BaseSampler":
        # Enqueued trials have a negative index; they draw their missing values from the first points of the sequence.
        n_enqueued = int(space.baseline) + len(space.start_with)
        return fixed(sobol_point(space, self.seed, max(0, n_enqueued + index)), seed)


def sobol_point(space: SampledSpace, seed: int, index: int) -> dict[str, Any]:
    """Point `index` of a scrambled Sobol sequence as parameters in Optuna's representation."""
    drawn = [key for key, parameter in space.parameters.items() if parameter.is_drawn]
    coordinates = dict(zip(drawn, _sobol(len(drawn), seed, index), strict=True))
    # space.params drops the coordinates of inactive parameters.
    return space.params({key: space.parameters[key].at(coordinates[key]) for key in drawn})


def _sobol(dimensions: int, seed: int, index: int) -> list[float]:
    """Point `index` in [0, 1) of each dimension (Sobol 1967, scrambled as by Owen 1998)."""
    from scipy.stats.qmc import Sobol

    sequence = Sobol(dimensions, scramble=True, rng=seed)
    if index:
        sequence.fast_forward(index)
    return [float(value) for value in sequence.random(1)[0]]
