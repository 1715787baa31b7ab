from fractions import Fraction
from itertools import combinations

import pytest

from eval.scorers.multi_sample import majority, pass_at_k, reported_ks


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_pass_at_k_is_the_share_of_all_draws_with_a_right_one(n):
    for right in range(n + 1):
        values = [True] * right + [False] * (n - right)
        for k in range(1, n + 1):
            draws = list(combinations(values, k))
            assert pass_at_k(n, right, k) == pytest.approx(float(Fraction(sum(map(any, draws)), len(draws))))


def test_pass_at_k_of_many():
    assert pass_at_k(1000, 0, 100) == 0
    assert pass_at_k(1000, 1, 100) == pytest.approx(0.1)
    assert pass_at_k(1000, 1000, 1) == 1


@pytest.mark.parametrize(
    ("n", "ks"), [(2, [2]), (3, [2, 3]), (4, [2, 4]), (10, [2, 4, 8, 10]), (64, [2, 4, 8, 16, 32, 64])]
)
def test_reported_ks(n, ks):
    assert reported_ks(n) == ks


@pytest.mark.parametrize(
    ("votes", "found"),
    [
        (["a"], (0, 1)),
        (["a", "b", "b"], (1, 2)),
        (["b", "a", "a", "b"], (0, 2)),
        ([None, None, "a"], (2, 1)),
        ([None, None], (0, 0)),
    ],
)
def test_majority(votes, found):
    assert majority(votes) == found
