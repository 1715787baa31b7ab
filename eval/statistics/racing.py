"""The racing rule: which candidates can still win, while the seeds of a comparison run one after another."""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np

from eval.statistics.clusters import Clusters, Floats, standard_error

HOPELESS = 0.05  # a candidate with a smaller probability of winning is not run again
FEWEST_SEEDS = 2  # one run each would say nothing about how much the seed matters, and make intervals too narrow


Run = tuple[int, int]  # configuration (0 is the reference), and number of its seed


def reference_seeds(n_candidates: int, n_seeds: int) -> int:
    """How many seeds the reference gets: with sqrt(k) times those of each of k candidates, all differences are known
    best for a given number of runs (Dunnett 1955), because it is a part of all of them."""
    return round(sqrt(n_candidates) * n_seeds)


def next_runs(
    done: Sequence[Sequence[Floats]], n_seeds: int, alpha: float, clusters: Clusters, out: Sequence[int] = ()
) -> list[Run]:
    """The runs to do now; none when the race is over. Follows from `done` alone, so that a race can be resumed.

    `done` holds the items' values of each configuration's runs so far, in the order of their seeds: the reference, then
    the candidates. Each is to have `n_seeds` in the end. Those in `out` cannot be run. From the second seed on,
    candidates that cannot win any more are dropped; that can only lower the number of false promotions.
    """
    alive = [place for place in range(1, len(done)) if place not in out]
    n_reference = reference_seeds(len(done) - 1, n_seeds)
    for seed in range(n_seeds):
        if not alive:
            return []
        last = n_reference if seed == n_seeds - 1 else seed + 1  # the last round has the rest of the reference's seeds
        wanted = [*((0, n) for n in range(seed, last)), *((place, seed) for place in alive)]
        if missing := [(place, n) for place, n in wanted if n >= len(done[place])]:
            return missing
        if FEWEST_SEEDS <= seed + 1 < n_seeds:
            alive = _still_in_race(done, alive, seed + 1, n_seeds, alpha, clusters)
    return []


def _still_in_race(
    done: Sequence[Sequence[Floats]], alive: Sequence[int], n_done: int, n_seeds: int, alpha: float, clusters: Clusters
) -> list[int]:
    """The candidates that can still pass at level `alpha` and end first."""
    share, critical = n_done / n_seeds, NormalDist().inv_cdf(1 - alpha / (len(done) - 1))
    by_item = {place: np.mean(done[place][:n_done], axis=0) for place in (0, *alive)}  # (items,) each
    leader = max((by_item[place] for place in alive), key=lambda values: float(values.mean()))
    return [
        place
        for place in alive
        if _reaches(by_item[place] - by_item[0], share, critical, clusters) >= HOPELESS
        and _reaches(by_item[place] - leader, share, 0.0, clusters) >= HOPELESS
    ]


def _reaches(differences: Floats, share: float, critical: float, clusters: Clusters) -> float:
    """The predictive probability that the mean difference ends above `critical` standard errors (Spiegelhalter 1986).

    `share` of the seeds has run. The error is taken to fall with their root, which is the most that it can fall: the
    items are the same for every seed.
    """
    mean, error = float(differences.mean()), float(standard_error(differences, clusters))
    if not error > 0:
        return float(mean >= 0)
    return NormalDist().cdf((mean / error - critical * sqrt(share)) / sqrt(1 - share))
