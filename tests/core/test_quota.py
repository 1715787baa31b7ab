import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from podium.core.budgets.allowance import allowance, place_of_run
from podium.core.budgets.kaggle import NO_COMMAND, kaggle_quota
from podium.core.budgets.ledger import Entry, append, ledger_path
from podium.core.budgets.quota import quotas
from podium.core.config_sections import BudgetConfig
from podium.core.errors import PodiumError, UsageError

NOW = datetime.now(UTC)
H = 3600.0
L4X4 = BudgetConfig(profile="kaggle-gpu-l4x4")


@pytest.fixture(autouse=True)
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace, a home and a PATH of their own, which has no `kaggle`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PODIUM_HOME", str(tmp_path))
    monkeypatch.delenv("PODIUM_WORKSPACE", raising=False)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def kaggle(folder: Path, body: str) -> None:
    """A `kaggle` command that checks how it is called, then runs `body`."""
    file = folder / "kaggle"
    file.write_text(f'#!/bin/sh\n[ "$*" = "quota --format json" ] || exit 9\n{body}\n')
    file.chmod(0o755)


def rows(used_h: float, refresh: str = "") -> str:
    """What `kaggle quota --format json` of kaggle 2.2.5 prints."""
    gpu = {"resource": "GPU", "used": f"{used_h:.2f}h", "remaining": f"{30 - used_h:.2f}h", "total": "30.00h"}
    tpu = {"resource": "TPU", "used": "0.00h", "remaining": "20.00h", "total": "20.00h"}
    return json.dumps([{**row, "refreshAt": refresh} for row in (gpu, tpu)], indent=2)


def says(folder: Path, text: str) -> None:
    (folder / "said.json").write_text(text + "\n")
    kaggle(folder, f'while read -r line; do echo "$line"; done < {folder}/said.json')


def used(hours: float, ago: timedelta = timedelta(hours=1), quota: str = "gpu") -> None:
    values = {"run": os.urandom(4).hex(), "activity": "sweep", "name": "a", "profile": "kaggle-gpu-t4x2"}
    append(Entry.model_validate({**values, "quota": quota, "at": NOW - ago, "wall_s": hours * H, "quota_s": hours * H}))


def lock(name: str, profile: str = "kaggle-gpu-t4x2", time_budget_s: float = 12 * H, claimed: bool = False) -> None:
    folder = Path(os.environ["PODIUM_HOME"]) / "submission_runs" / name
    folder.mkdir(parents=True)
    (folder / "lock.json").write_text(json.dumps({"budget": {"profile": profile, "time_budget_s": time_budget_s}}))
    if claimed:
        (folder / "claim.json").write_text("{}")


# --- the week


def test_a_week_without_kaggle_is_the_last_seven_days() -> None:
    used(2.0, timedelta(days=8))
    used(15.6)
    lock("first", "kaggle-gpu-l4x4", 3 * H)
    lock("done", claimed=True)
    found = quotas(NOW)
    week = found.weeks["gpu"]
    assert (week.used_s, week.reserved_s, week.total_s) == (15.6 * H, 6 * H, 30 * H)
    assert week.left_s == pytest.approx(14.4 * H)
    assert week.free_s == pytest.approx(8.4 * H)
    assert week.window.startswith("the last 7 days")
    assert found.notes == (NO_COMMAND,)
    assert found.weeks["tpu"].left_s == 20 * H


def test_kaggles_week_begins_at_its_refresh_time(bin_folder: Path) -> None:
    says(bin_folder, rows(3.0, (NOW + timedelta(days=5)).isoformat()))
    used(9.0, timedelta(days=3))
    used(3.0)
    found = quotas(NOW)
    assert (found.weeks["gpu"].used_s, found.weeks["gpu"].difference, found.notes) == (3 * H, None, ())
    assert found.weeks["gpu"].window.startswith("Kaggle's week, which began")


def test_a_difference_to_kaggle_is_shown_and_the_smaller_rest_counts(bin_folder: Path) -> None:
    says(bin_folder, rows(10.5))
    used(3.0)
    week = quotas(NOW).weeks["gpu"]
    assert week.difference == (
        "Kaggle says 10.5 h used, the ledger 3.0 h: notebooks outside Podium, or another workspace"
    )
    assert week.left_s == 19.5 * H
    says(bin_folder, rows(1.0))
    week = quotas(NOW).weeks["gpu"]
    assert week.left_s == 27 * H
    assert week.difference is not None
    assert week.difference.startswith("Kaggle says 1.0 h used, the ledger 3.0 h")


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("echo Traceback >&2; echo 'OSError: Could not find kaggle.json' >&2; exit 1", r"failed \(OSError: Could not"),
        ("echo 'No quota information available'", "printed something else than rows"),
        (
            'echo \'[{"resource": "GPU", "used": "a lot", "remaining": "1h", "total": "2h"}]\'',
            "'a lot' is not a number",
        ),
        ("echo '{}'", "not a list of rows"),
        ("while :; do :; done", r"no answer within 0\.2 s"),
    ],
)
def test_a_kaggle_that_says_nothing_is_one_line(bin_folder: Path, body: str, line: str) -> None:
    kaggle(bin_folder, body)
    with pytest.raises(PodiumError, match=line) as raised:
        kaggle_quota(timeout_s=0.2 if "while" in body else 20.0)
    assert str(raised.value).startswith("kaggle quota: ")
    assert "\n" not in str(raised.value)


def test_a_lock_that_cannot_be_read_is_said() -> None:
    lock("first")
    (Path(os.environ["PODIUM_HOME"]) / "submission_runs/first/lock.json").write_text("{}")
    notes = quotas(NOW).notes
    assert notes[1] == "nothing is reserved for submission 'first': its lock.json has no budget; restore it"


# --- what a sweep may use


def test_a_sweep_is_metered_on_kaggle_only(monkeypatch: pytest.MonkeyPatch) -> None:
    found = allowance(L4X4, None, None, None, 10)
    assert (found.profile.name, found.quota_s, found.line) == ("local", None, None)
    assert place_of_run("kaggle-gpu-l4x4").name == "local"
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    assert allowance(L4X4, None, None, None, 10).profile.name == "kaggle-gpu-l4x4"
    assert place_of_run("kaggle-gpu-l4x4").name == "kaggle-gpu-l4x4"


def test_a_metered_sweep_without_a_limit_gets_what_is_left_less_the_reserve() -> None:
    used(15.6)
    lock("first", time_budget_s=4 * H)
    found = allowance(BudgetConfig(), "kaggle-gpu-l4x4", None, None, 10)
    assert found.quota_s == pytest.approx(10.4 * H)
    assert found.line == (
        "quota: limited to 10.4 h of 14.4 h left of gpu quota, less 4.0 h reserved for submission first"
    )


@pytest.mark.parametrize(("quota_s", "time_budget_s"), [(11 * H, None), (None, 5.5 * H), (11 * H, 20 * H)])
def test_a_sweep_that_would_use_the_reserve_is_refused(quota_s: float | None, time_budget_s: float | None) -> None:
    used(15.6)
    lock("first", time_budget_s=4 * H)
    with pytest.raises(UsageError) as raised:
        allowance(BudgetConfig(), "kaggle-gpu-l4x4", quota_s, time_budget_s, 10)
    assert str(raised.value).startswith(
        "quota: this sweep asks for 11.0 h, and 10.4 h may be used: 14.4 h left of gpu quota, less 4.0 h reserved for "
        "submission first; give --quota 374"
    )


def test_a_sweep_within_its_limit_keeps_it() -> None:
    lock("first", time_budget_s=4 * H)
    assert allowance(BudgetConfig(), "kaggle-gpu-l4x4", None, 5 * H, 10).quota_s is None
    assert allowance(L4X4, None, 5 * H, None, 10).quota_s == 5 * H


def test_nothing_left_is_refused_without_a_limit_too() -> None:
    used(29.0)
    lock("first", time_budget_s=4 * H)
    with pytest.raises(UsageError, match=r"quota: 0\.0 h may be used: 1\.0 h left.*run the submission first, or wait"):
        allowance(BudgetConfig(), "kaggle-gpu-t4x2", None, None, 10)


def test_the_rest_keeps_the_shares_of_the_gate_and_the_submission() -> None:
    used(6.0)  # 24 h are left, 12 h are for the submission, and 14 runs of the gate and 10 trials share 12 h
    found = allowance(BudgetConfig(profile="kaggle-gpu-t4x2"), None, "rest", None, 10)
    assert found.quota_s == 5 * H
    assert found.line is not None
    assert found.line.endswith("12.0 h are kept for the submission and 7.0 h for 14 runs of the gate")
    used(12.5)
    with pytest.raises(UsageError, match=r"needs 12\.0 h, which leaves nothing"):
        allowance(BudgetConfig(profile="kaggle-gpu-t4x2"), None, "rest", None, 4)


@pytest.mark.parametrize(
    ("profile", "quota_s", "message"),
    [
        (None, 60.0, r"quota of 60 s: budget\.profile='local' has no quota; limit the time"),
        (None, "rest", r"quota 'rest': budget\.profile='local' has no quota"),
        ("local", 60.0, r"quota of 60 s: profile='local' has no quota"),
        ("kaggle", None, "^profile='kaggle', must be one of"),
    ],
)
def test_a_quota_needs_a_profile_that_has_one(profile: str | None, quota_s: float | str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        allowance(BudgetConfig(), profile, quota_s, None, 10)  # type: ignore[arg-type]


def test_reading_changes_nothing() -> None:
    quotas(NOW)
    assert not ledger_path().exists()
