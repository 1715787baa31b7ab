"""The racing rule: which candidates can still win, while the seeds of a comparison run one after another."""

from collections.abc import Mapping
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from eval.statistics.clusters import Clusters, Floats, standard_error

HOPELESS = 0.05  # a candidate with a smaller probability of winning is not run again


def still_in_race(
    reference: NDArray[np.float64],
    candidates: Mapping[str, NDArray[np.float64]],
    n_seeds: int,
    alpha: float,
    clusters: Clusters,
) -> list[str]:
    """The candidates that can still pass at level `alpha` and end first, after the same number of seeds each.

    The values are (seeds, items), of the reference too. `n_seeds` is how many seeds a candidate is to have in the end.
    Dropping one can only lower the number of false promotions.
    """
    by_item = {name: values.mean(axis=0) for name, values in candidates.items()}  # (items,) each
    base = reference.mean(axis=0)
    done = len(next(iter(candidates.values()))) / n_seeds
    critical = NormalDist().inv_cdf(1 - alpha / len(candidates))
    leader = max(by_item.values(), key=lambda values: float(values.mean()))
    return [
        name
        for name, values in by_item.items()
        if _reaches(values - base, done, critical, clusters) >= HOPELESS
        and _reaches(values - leader, done, 0.0, clusters) >= HOPELESS
    ]


def _reaches(differences: Floats, done: float, critical: float, clusters: Clusters) -> float:
    """The predictive probability that the mean difference ends above `critical` standard errors (Spiegelhalter 1986).

    `done` is the share of the seeds that have run. The error is taken to fall with their root, which is the most that
    it can fall: items are the same for every seed.
    """
    mean, error = float(differences.mean()), float(standard_error(differences, clusters))
    if not error > 0 or done >= 1:
        return float(mean >= 0)
    return NormalDist().cdf((mean / error - critical * sqrt(done)) / sqrt(1 - done))
