import numpy as np
import pytest

from eval.statistics.bootstrap import mean_interval, resampled_means
from eval.statistics.clusters import Clusters, standard_error


def test_interval_is_seeded_and_matches_resampling_item_by_item():
    values = [1.0] * 30 + [0.5] * 5 + [0.0] * 65
    low, high = mean_interval(values, seed=3)
    assert (low, high) == mean_interval(values, seed=3)
    assert (low, high) != mean_interval(values, seed=4)
    rng = np.random.default_rng(0)
    means = 100 * rng.choice(values, size=(10_000, len(values))).mean(axis=1)
    assert (low, high) == pytest.approx(np.quantile(means, (0.025, 0.975)), abs=0.6)
    assert low < 32.5 < high


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    runs = [mean_interval(list((rng.random(200) < 0.6).astype(float)), seed=0) for _ in range(300)]
    assert 0.90 < np.mean([low <= 60 <= high for low, high in runs]) < 0.99


def test_items_of_a_cluster_are_drawn_together():
    values = np.repeat([1.0, 0.0] * 20, 5)  # 40 clusters of 5 items that agree
    clusters = Clusters.of(str(n // 5) for n in range(200))
    low, high = mean_interval(values, 0, clusters)
    alone = mean_interval(values, 0)
    assert (high - low) / (alone[1] - alone[0]) == pytest.approx(5**0.5, rel=0.05)


def test_rows_are_resampled_on_the_same_clusters():
    rng = np.random.default_rng(0)
    row = rng.random(90)
    clusters = Clusters.of(str(n // 3) for n in range(90))
    drawn = resampled_means(np.stack([row, row + 0.25]), clusters, seed=0)
    assert drawn[:, 1] - drawn[:, 0] == pytest.approx(0.25, abs=1e-6)
    assert drawn[:, 0].std() == pytest.approx(standard_error(row, clusters), rel=0.05)
    assert (drawn == resampled_means(np.stack([row, row + 0.25]), clusters, seed=0)).all()


def test_more_items_than_one_block_holds():
    values = np.arange(4000) % 2.0
    drawn = resampled_means(values[None], Clusters.single(4000), seed=0)
    assert drawn.shape == (10_000, 1)
    assert drawn.std() == pytest.approx(0.5 / 4000**0.5, rel=0.05)
    assert len(np.unique(drawn[:500])) > 50  # blocks have their own random numbers
    assert (drawn[:500] != drawn[500:1000]).any()
