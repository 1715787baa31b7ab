"""Sign tests of paired differences: whether a split this uneven is plausible if both were equally good."""

import numpy as np

from eval.statistics.bootstrap import N_RESAMPLES
from eval.statistics.clusters import Clusters, Floats


def mcnemar(fixed: int, broken: int) -> float:
    """The two-sided p-value of the exact McNemar test (1947); the null hypothesis is that both are equally likely."""
    n, fewer = fixed + broken, min(fixed, broken)
    ways, tail = 1, 0  # n choose k, and the sum of these up to `fewer`
    for k in range(fewer + 1):
        tail += ways
        ways = ways * (n - k) // (k + 1)
    return min(1.0, float(2 * tail / 2**n))


def cluster_sign_test(differences: Floats, clusters: Clusters, seed: int) -> float:
    """The same for items in clusters: the differences of a cluster change their sign together. Two-sided.

    The p-value is from N_RESAMPLES random choices of signs, and never below 1 / (N_RESAMPLES + 1).
    """
    sums = clusters.sums(differences)
    sizes, counts = np.unique(np.abs(sums[sums != 0]), return_counts=True)  # (kinds,) each
    signs = 2 * np.random.default_rng(seed).binomial(counts, 0.5, size=(N_RESAMPLES, len(counts))) - counts
    as_uneven = np.abs(signs @ sizes) >= abs(sums.sum()) - 1e-9
    return float((1 + as_uneven.sum()) / (1 + N_RESAMPLES))
