"""Several predictions for one item: a vote among them, and how often one of k would be right."""

from collections import Counter
from collections.abc import Sequence
from math import comb


def pass_at_k(n: int, right: int, k: int) -> float:
    """The chance that at least one of k samples drawn from n, of which `right` are right, is right.

    The unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, equation 1), for 1 <= k <= n.
    """
    return 1 - comb(n - right, k) / comb(n, k)


def reported_ks(n: int) -> list[int]:
    """2, 4, 8, ... below n, and n itself; pass@1 is the mean, which is reported anyway."""
    return [*(1 << i for i in range(1, n.bit_length()) if 1 << i < n), n]


def majority(votes: Sequence[str | None]) -> tuple[int, int]:
    """The place of the first vote for what most voted for, and their number; the earlier of equals.

    None is no vote: it wins only, with 0, where there is no other.
    """
    counts = Counter(vote for vote in votes if vote is not None)
    if not counts:
        return 0, 0
    winner, n_votes = counts.most_common(1)[0]  # of equals the first that was counted
    return votes.index(winner), n_votes
