"""A study keeps the day that its chat template reads from the clock."""

from datetime import date

import pytest

from podium.core.errors import UsageError
from tests.tuning.study.test_transfer import OLD, fed
from tuning.study.chat_date import with_date
from tuning.study.study import load_study


def test_the_day_is_fixed_when_the_study_is_made(run_sweep, clock_tokenizer, set_today):
    space = {**OLD, "trials": 3, "overrides": {"model.tokenizer": clock_tokenizer}}
    set_today("2026-01-02")
    study = run_sweep(space, name="old")
    assert study.space.base_config.data.date == date(2026, 1, 2)
    assert {trial.config.data.date for trial in study.trials} == {date(2026, 1, 2)}
    set_today("2026-01-03")
    resumed = run_sweep({**space, "trials": 4}, resume="old")  # with the space's file, which has no date
    assert len(resumed.trials) == 4
    assert {trial.config.data.date for trial in resumed.trials} == {date(2026, 1, 2)}
    with pytest.raises(UsageError, match=r"base_config\.data\.date: 2026-01-02 -> 2024-07-26"):
        run_sweep({**space, "overrides": {**space["overrides"], "data.date": "2024-07-26"}}, resume="old")
    run_sweep({**space, "trials": 2}, name="new", warm_start="old")
    assert load_study("new").space.base_config.data.date == date(2026, 1, 2)
    assert len(fed("new")) == 4


def test_only_a_space_that_may_read_the_clock_has_a_date(space, clock_tokenizer, set_today):
    set_today("2026-01-02")
    assert with_date(space) == space
    plain = {"model.tokenizer": clock_tokenizer, "data.template": "plain"}
    unread = space.model_copy(update={"base_config": space.base_config.with_overrides(plain)})
    assert with_date(unread) == unread
    parameters = {**space.parameters, "data.template": next(iter(space.parameters.values()))}
    searched = with_date(unread.model_copy(update={"parameters": parameters}))
    assert searched.base_config.data.date == date(2026, 1, 2)
