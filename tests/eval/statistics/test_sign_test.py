from math import comb

import numpy as np
import pytest

from eval.statistics.clusters import Clusters
from eval.statistics.sign_test import cluster_sign_test, mcnemar


@pytest.mark.parametrize(
    ("fixed", "broken", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (0, 6, 0.03125), (5, 5, 1.0), (10, 2, 158 / 4096), (98, 13, None)],
)
def test_mcnemar_is_the_exact_sign_test(fixed, broken, p):
    n = fixed + broken
    tail = sum(comb(n, k) for k in range(min(fixed, broken) + 1)) / 2**n
    assert mcnemar(fixed, broken) == mcnemar(broken, fixed) == min(1.0, 2 * tail)
    assert p is None or mcnemar(fixed, broken) == p


def test_mcnemar_of_many():
    assert 0 < mcnemar(10_200, 9_800) < 0.01
    assert mcnemar(3000, 0) < 1e-300


def test_the_cluster_test_is_mcnemar_for_items_of_their_own():
    changes = np.array([1.0] * 10 + [-1.0] * 2 + [0.0] * 40)
    assert cluster_sign_test(changes, Clusters.single(52), 0) == pytest.approx(mcnemar(10, 2), abs=0.006)


def test_items_of_a_cluster_count_once():
    """Twelve fixed items are strong evidence, two fixed passages of six items are none."""
    changes, clusters = np.ones(12), Clusters.of("aaaaaabbbbbb")
    assert mcnemar(12, 0) < 0.001
    assert cluster_sign_test(changes, clusters, 0) == pytest.approx(0.5, abs=0.02)
    assert cluster_sign_test(np.zeros(12), clusters, 0) == 1.0
