import numpy as np

from eval.statistics.clusters import Clusters
from eval.statistics.racing import next_runs, reference_seeds

ITEMS = Clusters.single(300)


def run(rng, p):
    return (rng.random(300) < p).astype(float)


def race(shares, n_seeds=3, out=()):
    """The rounds of a race of configurations that are right with these probabilities."""
    rng, rounds = np.random.default_rng(3), []
    done = [[] for _ in shares]
    while runs := next_runs(done, n_seeds, 0.03, ITEMS, out):
        rounds.append(runs)
        for place, _ in runs:
            done[place].append(run(rng, shares[place]))
    return rounds, done


def test_the_reference_gets_more_seeds_than_each_candidate():
    assert [reference_seeds(n, 3) for n in (1, 2, 3, 4)] == [3, 4, 5, 6]
    assert reference_seeds(2, 2) == 3


def test_without_a_hopeless_candidate_everything_runs():
    rounds, _ = race([0.5, 0.62, 0.62])
    assert rounds == [
        [(0, 0), (1, 0), (2, 0)],
        [(0, 1), (1, 1), (2, 1)],
        [(0, 2), (0, 3), (1, 2), (2, 2)],
    ]


def test_a_candidate_that_cannot_win_is_not_run_again():
    _, done = race([0.6, 0.8, 0.45, 0.6])
    assert list(map(len, done)) == [5, 3, 2, 2]


def test_when_nobody_can_win_the_reference_stops_too():
    _, done = race([0.8, 0.5, 0.5])
    assert list(map(len, done)) == [2, 2, 2]


def test_a_candidate_that_failed_is_out():
    _, done = race([0.5, 0.7, 0.7], out=[1])
    assert list(map(len, done)) == [4, 0, 3]


def test_an_interrupted_round_goes_on_with_what_is_missing():
    rng = np.random.default_rng(0)
    done = [[run(rng, 0.5)], [], [run(rng, 0.6)]]
    assert next_runs(done, 3, 0.03, ITEMS) == [(1, 0)]


def test_a_candidate_that_answers_as_the_reference_does_may_still_win():
    values = run(np.random.default_rng(0), 0.5)
    assert next_runs([[values], [values]], 3, 0.03, ITEMS) == [(0, 1), (1, 1)]
