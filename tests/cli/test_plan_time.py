"""The time part of `podium plan`: from a trial, or from steps and items that are run here."""

import pytest

from podium.cli.plan_time import COLUMNS, lines, plan_time, rows, values
from podium.core.budgets.profiles import HOUR_S
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from tests.core.test_quota import bin_folder, used  # noqa: F401 (a fixture: no `kaggle` on PATH)
from tests.submission.small import OVERRIDES, write_data
from trainer.timing import measure


@pytest.fixture
def config(home) -> RunConfig:
    write_data(home)
    return RunConfig().with_overrides(OVERRIDES)


def test_without_a_measurement_it_says_what_to_do(config):
    plan = plan_time("base.yaml", config, "kaggle-gpu-t4x2", None, None)
    assert lines(plan) == ["time: nothing was measured; --measure N runs N steps and N items here"]
    assert values(plan) == {"unknown": "nothing was measured"}


def test_steps_and_items_that_are_run_here(config):
    used(15.6)
    plan = plan_time("base.yaml", config, "kaggle-gpu-l4x4", 2, None)
    assert not isinstance(plan, str)
    first, *_ = plan.projections
    assert first.item.n == 4  # a whole group
    assert first.total_s == pytest.approx(plan.parts.total_s + plan.n_items * first.item.mean_s)
    assert plan.parts.training_s > 0 and plan.parts.compile_s > 0 and first.item.mean_s > 0
    assert plan.parts.setup_s > 0 and plan.parts.scoring_s > 0 and plan.parts.packaging_s > 0
    assert "2 steps and 4 items measured here on" in lines(plan)[0]
    assert "scoring " in lines(plan)[1] and "not measured" not in lines(plan)[1]
    assert lines(plan)[0].endswith("not scaled to kaggle-gpu-l4x4")
    table = [dict(zip(COLUMNS, row, strict=True)) for row in rows(plan)]
    assert [row["samples"] for row in table] == ["1", "2", "4", "8"]
    assert (table[0]["verdict"], table[0]["left"]) == ("fits", "14.3 h")  # 14.4 h less some seconds, rounded down
    shown = values(plan)["projections"]
    assert shown[0]["quota_s"] == 2 * first.total_s
    assert shown[0]["left_s"] == pytest.approx(14.4 * HOUR_S - 2 * first.total_s)


def test_a_factor_that_is_given_is_said(config):
    plan = plan_time("base.yaml", config, "local", 1, 2.5)
    assert lines(plan)[0].endswith("scaled by a given device factor of 2.5")
    assert [row[-4:] for row in rows(plan)] == [("-",) * 4] * 4
    with pytest.raises(UsageError, match="device factor -1, must be > 0"):
        plan_time("base.yaml", config, "local", 1, -1.0)


def test_a_measurement_of_nothing_is_refused(config):
    with pytest.raises(UsageError, match="--measure 0, must be >= 1"):
        measure(config, [], 0)
