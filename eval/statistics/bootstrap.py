"""The bootstrap over items: clusters are drawn with replacement (Efron & Tibshirani 1993, chapter 13)."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from eval.statistics.clusters import Clusters, Floats

N_RESAMPLES = 10_000
LEVEL = 0.95
BLOCK = 2_000_000  # numbers drawn at a time


def mean_interval(
    values: Sequence[float] | Floats, seed: int, clusters: Clusters | None = None, scale: float = 100.0
) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the mean, times `scale`; 100 makes points of shares."""
    clusters = clusters or Clusters.single(len(values))
    kinds = np.stack([clusters.sums(np.asarray(values, dtype=float)), clusters.sizes])  # (2, clusters)
    # Clusters with equal sum and size are alike, so one multinomial draw over the kinds does; for right and wrong its
    # cost does not grow with the number of items.
    (sums, sizes), counts = np.unique(kinds, axis=1, return_counts=True)  # (kinds,) each
    drawn = np.random.default_rng(seed).multinomial(clusters.n, counts / clusters.n, size=N_RESAMPLES)
    means = scale * (drawn @ sums) / (drawn @ sizes)  # (resamples,)
    low, high = np.quantile(means, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def resampled_means(
    values: NDArray[np.float64], clusters: Clusters, seed: int, n_resamples: int = N_RESAMPLES
) -> Floats:
    """Means of (rows, items) on resampled clusters, the same for each row: (resamples, rows)."""
    columns = np.vstack([clusters.sums(values), clusters.sizes]).T.astype(np.float32)  # (clusters, rows + 1)
    block = min(n_resamples, max(1, BLOCK // clusters.n))  # resamples at a time, so that memory does not grow
    sizes = [min(block, n_resamples - first) for first in range(0, n_resamples, block)]
    drawn = np.concatenate([_counts(clusters.n, n, (seed, place)) @ columns for place, n in enumerate(sizes)])
    return np.asarray(drawn[:, :-1].astype(float) / drawn[:, -1:])


@lru_cache(maxsize=16)  # a race asks for the same draws after every run
def _counts(n_clusters: int, n_resamples: int, seed: tuple[int, int]) -> NDArray[np.float32]:
    """How often each cluster is drawn in each resample: (resamples, clusters)."""
    drawn = np.random.default_rng(seed).integers(n_clusters, size=(n_resamples, n_clusters))
    drawn += n_clusters * np.arange(n_resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=n_resamples * n_clusters)
    return counts.reshape(n_resamples, n_clusters).astype(np.float32)
