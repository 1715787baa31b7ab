import pytest

from podium.core.budgets.profiles import HOUR_S, load_profile
from podium.core.budgets.projection import (
    ItemTimes,
    Parts,
    Verdict,
    hours,
    hours_left,
    project,
    trials_in_the_week,
    verdict,
)
from podium.core.errors import UsageError

# Five tasks at a population of 2 on Kaggle's L4x4, as a competitor timed them (issue 17).
TASKS_S = [24.2, 50.6, 103.1, 222.8, 117.2]


@pytest.mark.parametrize(
    ("population", "shown", "expected"),
    [(2, "6.9 h", "fits"), (3, "10.4 h", "tight"), (4, "13.8 h", "exceeds"), (5, "17.3 h", "exceeds")],
)
def test_populations_of_the_known_competition(population: int, shown: str, expected: str) -> None:
    profile = load_profile("kaggle-gpu-l4x4")
    found = project(Parts(), ItemTimes.of(TASKS_S), 240, population, profile, at=2)
    assert (hours(found.total_s), found.verdict) == (shown, expected)
    assert found.quota_s == 2 * found.total_s
    assert found.week_share == found.quota_s / (30 * HOUR_S)


def test_what_is_left_of_the_known_week() -> None:
    assert hours_left(30 * HOUR_S - 15.6 * HOUR_S) == "14.4 h"


def test_what_is_left_is_never_rounded_up() -> None:
    assert hours_left(14.49 * HOUR_S) == "14.4 h"
    assert hours_left(0.0) == "0.0 h"
    assert [hours(17.2), hours(0)] == ["17.2 s", "0.0 h"]  # what is short is no 0.0 h
    assert hours_left(-0.2 * HOUR_S) == "-0.2 h"


def test_a_plan_at_the_limit_fits_the_session_but_is_tight() -> None:
    assert [verdict(total_s, 100) for total_s in (80, 80.001, 100, 100.001)] == [
        Verdict.FITS,
        Verdict.TIGHT,
        Verdict.TIGHT,
        Verdict.EXCEEDS,
    ]


def test_item_times() -> None:
    found = ItemTimes.of([float(second) for second in range(1, 101)])
    assert (found.mean_s, found.p95_s, found.n) == (50.5, 95.0, 100)
    assert ItemTimes.of(TASKS_S).p95_s == 222.8
    with pytest.raises(UsageError, match=r"no item was run.*--measure"):
        ItemTimes.of([])


def test_every_part_counts_and_only_the_device_scales() -> None:
    parts = Parts(setup_s=1, compile_s=2, training_s=4, generation_s=8, scoring_s=16, packaging_s=32)
    assert parts.total_s == 63
    assert parts.scaled(2) == Parts(setup_s=1, compile_s=2, training_s=2, generation_s=4, scoring_s=16, packaging_s=32)
    for factor in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match=r"device factor .*must be > 0"):
            parts.scaled(factor)


def test_the_budget_of_a_config_replaces_the_session() -> None:
    profile, item = load_profile("local"), ItemTimes.of([1.0])
    found = project(Parts(training_s=90), item, 20, 1, profile, limit_s=100)
    assert (found.total_s, found.verdict, found.quota_s, found.week_share) == (110, "exceeds", 0, None)


def test_trials_that_fit_beside_the_submission() -> None:
    assert trials_in_the_week(left_s=100, submission_s=40, trial_s=20) == 3
    assert trials_in_the_week(left_s=99, submission_s=40, trial_s=20) == 2
    assert trials_in_the_week(left_s=30, submission_s=40, trial_s=20) == 0
