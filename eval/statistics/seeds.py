"""How much the score of a configuration depends on the seed of its run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.statistics.clusters import Clusters, Floats, standard_error


@dataclass(frozen=True)
class SeedVariance:
    """The variance of a run's score between seeds, pooled over configurations because each has few runs.

    Runs differ by their seed and, on these items, by chance: `between` has both, `within` the chance alone.
    """

    between: float
    within: float
    n_free: int  # degrees of freedom of `between`; 0 if no configuration has two runs

    @property
    def value(self) -> float:
        """The estimate of the seed's variance; 0 if the runs differ no more than by chance."""
        return max(0.0, self.between - self.within)

    def draws(self, rng: np.random.Generator, n: int) -> Floats:
        """`n` values that the variance may have, given how few runs it was estimated from: (n,).

        A draw of the variance between runs (Weerahandi 1993), less the chance. Resampling two or three runs would make
        it too small by a third or more.
        """
        if not self.n_free:
            return np.zeros(n)
        between = self.between * self.n_free / rng.chisquare(self.n_free, n)
        return np.asarray(np.maximum(0.0, between - self.within))


def seed_variance(scores: Sequence[NDArray[np.float64]], clusters: Clusters) -> SeedVariance:
    """From the values (seeds, items) of each configuration."""
    repeated = [values for values in scores if len(values) > 1]
    n_free = sum(len(values) - 1 for values in repeated)
    if not n_free:
        return SeedVariance(0.0, 0.0, 0)
    between = within = 0.0
    for values in repeated:
        means = values.mean(axis=1, keepdims=True)  # (seeds, 1)
        between += float(np.sum((means - means.mean()) ** 2))
        chance = values - values.mean(axis=0) - means + means.mean()  # (seeds, items)
        within += float(np.sum(standard_error(chance, clusters) ** 2))
    return SeedVariance(between / n_free, within / n_free, n_free)
