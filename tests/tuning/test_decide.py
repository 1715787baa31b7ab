"""The verdicts of the gate on scores that are given."""

import numpy as np
import pytest

from eval.scorecard import at_most_text
from eval.statistics.clusters import Clusters
from podium.core.errors import UsageError
from tuning.promotion import Runs, decide


def runs(label, p, n_items=300, n_seeds=3, **about):
    """Runs that are right on a share `p` of the items, on the same easy ones first and on others by chance."""
    rng = np.random.default_rng(sum(map(ord, label)))
    easy = np.arange(n_items) / n_items
    values = (easy + rng.normal(0, 0.15, (n_seeds, n_items)) < p).astype(float)
    return Runs(label, values, tuple(range(n_seeds)), **about)


def judged(*shares, n_items=300, n_seeds=3, look=1):
    reference, *others = (runs(f"c{place}", p, n_items, n_seeds) for place, p in enumerate(shares))
    return decide(reference, others, Clusters.single(n_items), look)


def test_a_clear_gain_is_promoted():
    found = judged(0.6, 0.75, 0.62)
    assert (found.verdict, found.winner) == ("promote", "c1")
    assert found.reason.startswith("c1 scores ")
    assert "more than c0 on 300 holdout items, and chance explains at most " in found.reason
    assert found.p_worse < 0.001
    winner = found.candidates[0]
    assert winner.gain_interval[0] > 0
    assert winner.gain == pytest.approx(winner.score - found.reference.score)
    assert found.interval[0] < found.expected_score <= winner.score < found.interval[1]
    assert (found.looks, found.n_items, found.n_clusters) == (1, 300, 300)


def test_no_gain_is_not_promoted():
    found = judged(0.6, 0.5, 0.55)
    assert (found.verdict, found.winner, found.items_needed) == ("do not promote", "c2", None)
    assert found.reason.startswith("no candidate scores more than c0 on 300 holdout items: c2 scores ")
    assert found.p_worse > 0.9


def test_a_gain_that_chance_explains_is_unconfirmed_and_says_what_would_do():
    base = np.arange(300) % 2.0
    other = base.copy()
    other[:44:2], other[61:93:2] = 1.0, 0.0  # 22 fixed, 16 broken, whatever the seed
    reference, candidate = (Runs(label, np.tile(row, (3, 1))) for label, row in (("c0", base), ("c1", other)))
    found = decide(reference, [candidate], Clusters.single(300))
    assert found.verdict == "unconfirmed"
    gain = found.candidates[0].gain
    assert gain == pytest.approx(2.0)
    assert gain < found.detectable_gain
    assert found.items_needed > 300
    assert (
        f"the smallest gain that these items would find is {at_most_text(found.detectable_gain)} points" in found.reason
    )
    assert found.reason.endswith(f"one of {gain:.1f} takes {found.items_needed} items")


def test_seeds_that_differ_more_than_the_gain_take_more_seeds():
    found = judged(0.6, 0.64)
    assert (found.verdict, found.items_needed) == ("unconfirmed", None)
    assert found.reason.endswith(" takes more --seeds, not items: the runs of one config differ by more")


def test_a_tie_goes_to_the_cheaper_config():
    one, same = runs("c1", 0.75, cost_s=20.0), runs("c1", 0.75, cost_s=10.0)
    cheap = Runs("cheap", same.values, cost_s=10.0)
    found = decide(runs("c0", 0.6), [one, cheap], Clusters.single(300))
    assert found.winner == "cheap"
    assert decide(one, [cheap], Clusters.single(300)).verdict == "do not promote"  # the reference stays


def test_each_look_asks_for_more():
    found = [judged(0.6, 0.68, look=look) for look in (1, 2, 5)]
    assert [one.alpha for one in found] == sorted((one.alpha for one in found), reverse=True)
    lower = [one.candidates[0].gain_interval[0] for one in found]
    assert lower == sorted(lower, reverse=True)


def test_a_worn_out_holdout_confirms_nothing():
    found = judged(0.5, 0.9, look=40)
    assert (found.verdict, found.detectable_gain) == ("unconfirmed", None)
    assert found.reason.endswith("but this is look 40 at the holdout, which is worn out; use new items")


def test_the_gap_between_sweep_and_holdout_is_the_winners_curse():
    found = decide(runs("c0", 0.5), [runs("c1", 0.7, sweep_score=90.0)], Clusters.single(300))
    assert found.winners_curse_gap == pytest.approx(90 - found.candidates[0].score)


def test_groups_of_items_count_as_one():
    """Two more passages of 25 questions each are less than 50 more questions."""
    solved = np.repeat([[1, 0] * 6, [1, 0] * 4 + [1] * 4], 25, axis=1).astype(float)
    reference, candidate = (Runs(f"c{n}", np.tile(row, (2, 1))) for n, row in enumerate(solved))
    alone = decide(reference, [candidate], Clusters.single(300))
    grouped = decide(reference, [candidate], Clusters.of(str(n // 25) for n in range(300)))
    assert (alone.verdict, grouped.verdict) == ("promote", "unconfirmed")
    assert grouped.n_clusters == 12


def test_too_few_items_for_any_verdict():
    line = (
        r"^the holdout has 5 items or groups of items, must have 7 or more for a verdict on 3 candidates; "
        r"use a larger evalset, or --quick to promote without a verdict$"
    )
    with pytest.raises(UsageError, match=line):
        judged(0.5, 0.6, 0.7, 0.8, n_items=5)
