"""The simulated studies on which the gate is measured."""

import numpy as np
import pytest

from benchmarks.promotion_gate import BASE, SEEDS, Scenario, ability, answers, one_study, race, simulate
from eval.statistics.clusters import Clusters


@pytest.mark.parametrize(("item_sd", "seed_sd"), [(1.0, 0.0), (3.0, 0.2)])
def test_the_simulated_config_has_the_score_that_it_is_to_have(item_sd, seed_sd):
    rng = np.random.default_rng(0)
    found = answers(ability(BASE, item_sd, seed_sd), rng.normal(0, item_sd, 4000), seed_sd, 50, rng)
    assert found.mean() == pytest.approx(BASE, abs=0.03)


def test_seeds_make_runs_differ():
    rng = np.random.default_rng(0)
    means = [answers(1.0, np.zeros(5000), sd, 40, rng).mean(axis=1).std() for sd in (0.0, 0.2)]
    assert means[1] > 3 * means[0]


def test_the_race_leaves_the_first_runs_of_each():
    rng = np.random.default_rng(1)
    values = [(rng.random((n, 200)) < p).astype(float) for n, p in ((4, 0.6), (SEEDS, 0.9), (SEEDS, 0.4))]
    left = race(values, Clusters.single(200))
    assert [len(runs) for runs in left] == [4, 3, 2]
    assert all((runs == all_of_it[: len(runs)]).all() for runs, all_of_it in zip(left, values, strict=True))


def test_a_large_gain_is_found_and_the_candidates_of_a_study_are_its_best_trials():
    found = simulate(Scenario("large", 60, 0.2), 2.0, 0.0, 3)
    assert (found.right, found.false, found.worse) == (1.0, 0.0, 0.0)
    row = one_study(Scenario("study", 60, None), 2.0, 0.1, np.random.default_rng(0))
    assert row["steps"] <= 1 and 0 <= row["p_worse"] <= 1
