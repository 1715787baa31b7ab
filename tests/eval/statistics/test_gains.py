import numpy as np
import pytest

from eval.statistics.clusters import Clusters, standard_error
from eval.statistics.gains import Gains, detectable_gain, fewest_clusters, items_needed
from eval.statistics.looks import ALPHA, alpha_at
from eval.statistics.seeds import seed_variance


def runs(rng, p, n_seeds, n_items=200, seed_sd=0.0):
    """Values (seeds, items) of a configuration that is right with probability `p`."""
    shares = np.clip(p + rng.normal(0, seed_sd, (n_seeds, 1)), 0, 1)
    return (rng.random((n_seeds, n_items)) < shares).astype(float)


def test_the_clustered_error_is_the_plain_one_for_single_items():
    values = np.random.default_rng(0).random(50)
    assert standard_error(values, Clusters.single(50)) == pytest.approx(values.std(ddof=1) / 50**0.5)
    assert standard_error(values, Clusters.of(map(str, range(50)))) == pytest.approx(values.std(ddof=1) / 50**0.5)


def test_the_clustered_error_of_copies_is_that_of_the_originals():
    values = np.random.default_rng(0).random(50)
    copies = Clusters.of(str(n // 4) for n in range(200))
    assert standard_error(np.repeat(values, 4), copies) == pytest.approx(standard_error(values, Clusters.single(50)))


def test_seed_variance_is_what_chance_does_not_explain():
    rng, single = np.random.default_rng(0), Clusters.single(400)
    found = [
        seed_variance([runs(rng, 0.6, 4, 400, sd) for _ in range(6)], single) for sd in (0.0, 0.05) for _ in range(30)
    ]
    assert found[0].n_free == 18
    assert np.mean([one.between - one.within for one in found[:30]]) == pytest.approx(0, abs=1e-4)
    assert np.mean([one.between - one.within for one in found[30:]]) == pytest.approx(0.05**2, rel=0.2)
    few = seed_variance([runs(rng, 0.6, 2, 400, 0.05) for _ in range(2)], single)
    assert few.draws(rng, 5000).mean() > few.value  # two runs each leave room for more


def test_one_run_each_says_nothing_about_seeds():
    rng = np.random.default_rng(0)
    found = seed_variance([runs(rng, 0.6, 1), runs(rng, 0.7, 1)], Clusters.single(200))
    assert (found.n_free, found.value, found.draws(rng, 3).tolist()) == (0, 0.0, [0, 0, 0])


def test_gains_are_paired_by_item():
    """Items of very different difficulty: unpaired, a gain of five points would drown."""
    rng = np.random.default_rng(0)
    easy = rng.random(300) < 0.6
    base = np.stack([easy, easy]).astype(float)
    better = base.copy()
    better[:, np.flatnonzero(~easy)[:15]] = 1.0
    gains = Gains.of([base, better], Clusters.single(300))
    assert gains.gains == pytest.approx([0.05])
    assert gains.item_errors[0] == pytest.approx(0.0126, abs=0.001)
    assert gains.errors[1] > 0.025
    assert gains.gains[0] - gains.gain_margins(0.05)[0] > 0
    assert gains.p_worse(0) < 0.01


def test_the_margin_grows_with_the_number_of_candidates_and_with_fewer_seeds():
    rng, single = np.random.default_rng(1), Clusters.single(200)
    base, *others = (runs(rng, 0.6, 3) for _ in range(5))
    one, four = (Gains.of([base, *others[:n]], single).gain_margins(0.05)[0] for n in (1, 4))
    assert 1.1 < four / one < 1.7
    short = Gains.of([base, *(values[:1] for values in others)], single)
    assert short.gain_margins(0.05)[0] > four


def test_equal_runs_have_no_gain_and_no_error():
    same = np.tile(np.arange(100) % 2.0, (2, 1))
    gains = Gains.of([same, same], Clusters.single(100))
    assert gains.gain_margins(0.05).tolist() == [0.0]
    assert gains.p_worse(0) == 1.0  # no better


def test_the_best_of_equal_candidates_is_known_to_look_too_good():
    rng, single = np.random.default_rng(2), Clusters.single(200)
    found = [Gains.of([runs(rng, 0.6, 3) for _ in range(5)], single) for _ in range(40)]
    excess = np.mean([gains.means[1:].max() - 0.6 for gains in found])
    assert np.mean([gains.selection_bias for gains in found]) == pytest.approx(excess, abs=0.006)
    covered = [abs(g.means[1:].max() - 0.6) <= g.score_margins()[g.gains.argmax()] for g in found]
    assert np.mean(covered) >= 0.9


def test_looks_never_spend_more_than_there_is():
    spent = [alpha_at(look) for look in range(1, 1000)]
    assert spent[0] == pytest.approx(0.0304, abs=1e-4)
    assert spent == sorted(spent, reverse=True)
    assert sum(spent) < ALPHA
    gains = Gains.of([np.eye(2)[:, :1].repeat(40, 1)] * 2, Clusters.single(40))
    assert np.isinf(gains.gain_margins(alpha_at(30))).all()  # this holdout is worn out


def test_what_a_holdout_can_find():
    assert detectable_gain(0.04, 0.02) == pytest.approx(0.04 + 0.8416212 * 0.02)
    assert items_needed(0.05, 100, 0.03, 0.0, 0.1) == 400  # half the error takes four times the items
    assert items_needed(0.05, 100, 0.03, 0.01, 0.1) > 400
    assert items_needed(0.01, 100, 0.03, 0.02, 0.1) is None  # more items do not make the seeds vary less


def test_the_fewest_items_are_those_of_a_sign_test():
    assert fewest_clusters(0.05, 1) == 5  # 2^-5 = 0.031
    assert fewest_clusters(0.03, 3) == 7
