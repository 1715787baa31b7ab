"""The gains of configurations over a reference, from runs with several seeds on the same items."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from eval.statistics.bootstrap import LEVEL, N_RESAMPLES, resampled_means
from eval.statistics.clusters import Clusters, Floats, standard_error
from eval.statistics.seeds import SeedVariance, seed_variance

POWER = 0.8  # the probability with which a gain of the size called detectable is found


@dataclass(frozen=True)
class Gains:
    """The paired bootstrap over items and seeds. Configuration 0 is the reference, the others are candidates.

    `draws` are mean scores on other items and with other seeds: items are drawn by cluster, the same for all
    configurations, and each configuration gets a seed effect of the estimated variance.
    """

    means: Floats  # (configurations,) on these items
    draws: Floats  # (resamples, configurations)
    errors: Floats  # (configurations,) standard errors of the means
    item_errors: Floats  # (candidates,) of the gains: the part that more items make smaller
    seed_errors: Floats  # (candidates,) of the gains: the part that more seeds make smaller

    @classmethod
    def of(
        cls,
        scores: Sequence[NDArray[np.float64]],
        clusters: Clusters,
        seed: int = 0,
        n_resamples: int = N_RESAMPLES,
    ) -> "Gains":
        """From the values (seeds, items) of each configuration; each may have another number of seeds."""
        by_item = np.stack([values.mean(axis=0) for values in scores])  # (configurations, items)
        n_seeds = np.array([len(values) for values in scores])
        variance = seed_variance(scores, clusters)
        shares = variance.value / n_seeds
        return cls(
            means=np.array([values.mean() for values in scores]),
            draws=resampled_means(by_item, clusters, seed, n_resamples)
            + _seed_effects(variance, n_seeds, seed, n_resamples),
            errors=np.sqrt(standard_error(by_item, clusters) ** 2 + shares),
            item_errors=standard_error(by_item[1:] - by_item[0], clusters),
            seed_errors=np.sqrt(shares[1:] + shares[0]),
        )

    @property
    def gains(self) -> Floats:
        """(candidates,)"""
        return np.asarray(self.means[1:] - self.means[0])

    @property
    def gain_errors(self) -> Floats:
        return np.asarray(np.hypot(self.item_errors, self.seed_errors))

    @property
    def gain_draws(self) -> Floats:
        """(resamples, candidates)"""
        return np.asarray(self.draws[:, 1:] - self.draws[:, :1])

    def gain_margins(self, alpha: float) -> Floats:
        """(candidates,) With probability 1 - alpha, no candidate's true gain is below its gain less its margin.

        The largest of the candidates' errors counts, each in units of its own (single-step max-t, Westfall & Young
        1993): this is the correction for their number, and knows that they share items and reference. Infinite if the
        draws are too few for so small an alpha.
        """
        if alpha * len(self.draws) < 1:
            return np.full(len(self.gains), np.inf)
        return _margins(self.gains - self.gain_draws, self.gain_errors, 1 - alpha)

    def score_margins(self, level: float = LEVEL) -> Floats:
        """(candidates,) With this probability, the true score of every candidate is within its margin of its mean.

        So that of the best is, too, though it was chosen for its score.
        """
        return _margins(np.abs(self.draws[:, 1:] - self.means[1:]), self.errors[1:], level)

    @property
    def selection_bias(self) -> float:
        """By how much the best candidate's score is too high because it was chosen for it.

        In each draw the best is chosen again, and its drawn score compared with its own mean over the draws.
        """
        candidates = self.draws[:, 1:]
        chosen = candidates.argmax(axis=1)
        return max(0.0, float(np.mean(candidates.max(axis=1) - candidates.mean(axis=0)[chosen])))

    def p_worse(self, candidate: int) -> float:
        """The probability that the candidate is no better than the reference, after correction for its selection."""
        return float(np.mean(self.gain_draws[:, candidate] <= self.selection_bias))


def _seed_effects(variance: SeedVariance, n_seeds: NDArray[np.intp], seed: int, n_resamples: int) -> Floats:
    """(resamples, configurations)"""
    rng = np.random.default_rng((seed, 1))
    deviations = np.sqrt(variance.draws(rng, n_resamples))[:, None] / np.sqrt(n_seeds)
    return np.asarray(deviations * rng.standard_normal(deviations.shape))


def _margins(deviations: Floats, errors: Floats, level: float) -> Floats:
    """Margins in proportion to the errors that hold all deviations of a draw at once with this probability."""
    scaled = np.where(errors > 0, deviations / np.where(errors > 0, errors, 1.0), 0.0)
    return np.asarray(np.quantile(scaled.max(axis=1), level) * errors)


def detectable_gain(margin: float, error: float) -> float:
    """The smallest true gain that passes with probability POWER: the margin, and what chance may take from it."""
    return margin + NormalDist().inv_cdf(POWER) * error


def items_needed(gain: float, n_items: int, item_error: float, seed_error: float, detectable: float) -> int | None:
    """How many items would make `gain` detectable; None if no number does because the seeds vary too much.

    `detectable` is what `n_items` can detect, with these parts of its error.
    """
    multiple = detectable / sqrt(item_error**2 + seed_error**2)
    left = gain**2 - (multiple * seed_error) ** 2
    return None if left <= 0 else ceil(n_items * (multiple * item_error) ** 2 / left)


def fewest_clusters(alpha: float, n_candidates: int) -> int:
    """With fewer clusters even a gain on every one of them would not pass: a sign test's smallest p-value is 2^-n."""
    return ceil(log2(n_candidates / alpha))
