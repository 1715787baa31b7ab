"""The rules of a competition at promotion and before the claim, and what a submission writes into the quota ledger."""

import json

import pytest

from podium.core.budgets.ledger import read_ledger
from podium.core.errors import UsageError
from podium.submission.lock import read_lock, write_lock
from podium.submission.run_once import submit
from tests.submission import small
from tests.submission.small import promotion, tree

COMPETITION = {"budget.competition": "google-tunix-hackathon"}
BROKEN = ("model", "date", "profile")  # by the tiny model, today, on this machine


def test_a_broken_rule_is_refused_before_the_lock_is_written(data_home):
    before = tree(data_home)
    with pytest.raises(
        UsageError,
        match=r"^\(1\) model\.source='tiny', compared .*--accept model; \(2\) .* ended on .*; \(3\)",
    ):
        write_lock(promotion(**COMPETITION), "one")
    with pytest.raises(UsageError, match=r"^google-tunix-hackathon ended on 2026-01-12.*, or --accept date$"):
        write_lock(promotion(**COMPETITION), "one", ["model", "profile"])
    assert tree(data_home) == before


def test_what_is_accepted_is_recorded_in_the_lock_and_holds_for_its_run(data_home):
    lock = write_lock(promotion(**COMPETITION), "one", BROKEN)
    assert tuple(lock.accepted) == BROKEN
    assert read_lock("one").accepted["date"].startswith("google-tunix-hackathon ended on 2026-01-12, and today is")
    submit("one", library=small.library())
    claim = json.loads((data_home / "submission_runs/one/claim.json").read_text())
    assert claim["accepted"].keys() == set(BROKEN)
    begun, *_, ended = read_ledger().entries
    assert (begun.activity, begun.name, begun.profile, begun.ended) == ("submission", "one", "local", False)
    assert (ended.run, ended.ended, ended.quota_s) == (begun.run, True, 0)
    assert ended.wall_s > begun.wall_s > 0  # the checks before the claim count


def test_a_lock_without_a_competition_records_nothing(data_home):
    assert write_lock(promotion(), "one").accepted is None
    assert "accepted" not in json.loads((data_home / "submission_runs/one/lock.json").read_text())


def test_profile_and_device_that_contradict_each_other_are_not_locked(data_home):
    before = tree(data_home)
    changes = {"budget.profile": "kaggle-tpu-v5e-8", "device.kind": "gpu"}
    with pytest.raises(UsageError, match=r"budget\.profile=kaggle-tpu-v5e-8 with device\.kind=gpu: its machine"):
        write_lock(promotion(**changes), "one")
    assert tree(data_home) == before


@pytest.mark.usefixtures("data_home")
def test_a_submission_on_kaggle_uses_the_quota_of_its_profile(monkeypatch):
    write_lock(promotion(**{"budget.profile": "kaggle-gpu-l4x4"}), "one")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    submit("one", library=small.library())
    ended = read_ledger().entries[-1]
    assert (ended.profile, ended.quota, ended.quota_s) == ("kaggle-gpu-l4x4", "gpu", 2 * ended.wall_s)
    assert ended.quota_s > 0


def test_a_ledger_that_cannot_be_written_does_not_end_the_attempt(data_home):
    (data_home / "workspace" / "quota.jsonl").mkdir(parents=True)
    write_lock(promotion(), "one")
    assert submit("one", library=small.library()).state == "complete"
