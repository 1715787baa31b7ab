"""Clusters of items that share a passage, a template or a task, and are therefore not independent of each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clusters:
    """Which items belong together. An item of its own is a cluster of one."""

    index: NDArray[np.intp]  # (items,) the cluster of each item, from 0
    sizes: Floats  # (clusters,)

    @classmethod
    def of(cls, labels: Iterable[str]) -> "Clusters":
        """The clusters of items with these labels: equal labels, one cluster."""
        places: dict[str, int] = {}
        index = np.array([places.setdefault(label, len(places)) for label in labels], dtype=np.intp)
        return cls(index, np.bincount(index).astype(float))

    @classmethod
    def single(cls, n_items: int) -> "Clusters":
        """Every item is a cluster of its own."""
        return cls(np.arange(n_items), np.ones(n_items))

    @property
    def n(self) -> int:
        return len(self.sizes)

    @property
    def n_items(self) -> int:
        return len(self.index)

    @property
    def are_items(self) -> bool:
        """Whether no two items belong together."""
        return self.n == self.n_items

    def sums(self, values: NDArray[Any]) -> Floats:
        """(..., items) -> (..., clusters): the sum of the values in each cluster."""
        if self.are_items:
            return np.asarray(values, dtype=float)
        flat = np.reshape(values, (-1, self.n_items))
        summed = np.stack([np.bincount(self.index, row, minlength=self.n) for row in flat])
        return np.asarray(summed.reshape(*np.shape(values)[:-1], self.n), dtype=float)


def standard_error(values: NDArray[Any], clusters: Clusters) -> Floats:
    """The clustered standard error of the mean: (..., items) -> (...,). NaN for a single cluster.

    Miller 2024, section 2.2, with the correction for few clusters, n / (n - 1). For clusters of one item it is the
    standard deviation with ddof=1 over the root of the number of items.
    """
    deviations = values - np.mean(values, axis=-1, keepdims=True)
    squares = np.sum(clusters.sums(deviations) ** 2, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(squares * clusters.n / np.float64(clusters.n - 1)) / clusters.n_items)
