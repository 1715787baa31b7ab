"""Metrics over several predictions per item: majority vote and pass@k."""

from collections import Counter
from collections.abc import Sequence
from math import comb


def pass_at_k(n: int, right: int, k: int) -> float:
    """The chance that at least one of k samples, drawn from n of which `right` are correct, is correct.

    The unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, equation 1), for 1 <= k <= n.
    """
    return 1 - comb(n - right, k) / comb(n, k)


def reported_ks(n: int) -> list[int]:
    """2, 4, 8, ... below n, and n itself; pass@1 is left out because it equals the mean, which is always reported."""
    return [*(1 << i for i in range(1, n.bit_length()) if 1 << i < n), n]


def majority(votes: Sequence[str | None]) -> tuple[int, int]:
    """The index of the first vote for the winner, and the winner's number of votes; a tie goes to the earlier one.

    None is an abstention. If every vote is None, the result is (0, 0).
    """
    counts = Counter(vote for vote in votes if vote is not None)
    if not counts:
        return 0, 0
    winner, n_votes = counts.most_common(1)[0]  # in a tie, the one counted first
    return votes.index(winner), n_votes
