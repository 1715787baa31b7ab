import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from podium.core.budgets import ledger
from podium.core.budgets.ledger import Entry, Meter, append, ledger_path, read_ledger
from podium.core.budgets.profiles import load_profile
from podium.core.clock import FakeClock
from podium.core.errors import PodiumError

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODIUM_WORKSPACE", str(tmp_path / "workspace"))


def entry(run: str, hours: float, used_h: float, quota: str | None = "gpu") -> Entry:
    """What `run` had used `hours` before NOW."""
    values = {"activity": "sweep", "name": "tiny-001", "profile": "kaggle-gpu-l4x4", "wall_s": used_h * 1800}
    at = NOW - timedelta(hours=hours)
    return Entry.model_validate({**values, "run": run, "quota": quota, "at": at, "quota_s": used_h * 3600})


def test_a_run_writes_a_line_at_its_start_once_a_minute_and_at_its_end() -> None:
    clock = FakeClock()
    with Meter("sweep", "tiny-001", load_profile("kaggle-gpu-l4x4"), clock) as meter:
        for _ in range(100):  # 2.5 minutes
            clock.advance(1.5)
            meter.tick()
    found = read_ledger().entries
    assert [(line.wall_s, line.quota_s, line.ended) for line in found] == [
        (0, 0, False),
        (60, 120, False),
        (120, 240, False),
        (150, 300, True),
    ]
    assert len({line.run for line in found}) == 1


def test_a_run_that_is_killed_loses_at_most_a_minute() -> None:
    clock = FakeClock()
    meter = Meter("submission", "first", load_profile("kaggle-tpu-v5e-8"), clock).__enter__()
    clock.advance(119)
    meter.tick()
    clock.advance(59)
    meter.tick()
    assert read_ledger().entries[-1].quota_s == 119


def test_the_newest_line_of_each_run_counts() -> None:
    for line in [entry("a", 3, 1), entry("b", 2, 4), entry("a", 1, 2), entry("c", 1, 9, "tpu"), entry("d", 1, 0, None)]:
        append(line)
    assert read_ledger().used_s("gpu", NOW - timedelta(days=7)) == 6 * 3600
    assert read_ledger().used_s("tpu", NOW - timedelta(days=7)) == 9 * 3600


def test_a_run_over_the_start_of_the_week_counts_from_there() -> None:
    for line in [entry("a", 30, 1), entry("a", 26, 5), entry("a", 20, 11), entry("old", 40, 3)]:
        append(line)
    assert read_ledger().used_s("gpu", NOW - timedelta(hours=24)) == 6 * 3600


def test_two_processes_write_whole_lines() -> None:
    code = (
        "from podium.core.budgets.ledger import Meter, EVERY_S\n"
        "from podium.core.budgets.profiles import load_profile\n"
        "from podium.core.clock import FakeClock\n"
        "clock = FakeClock()\n"
        "with Meter('sweep', 'x' * 200, load_profile('kaggle-gpu-t4x2'), clock) as meter:\n"
        "    for _ in range(200):\n"
        "        clock.advance(EVERY_S)\n"
        "        meter.tick()\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    found = read_ledger()
    assert found.damaged == ()
    assert len(found.entries) == 2 * 202
    assert found.used_s("gpu", datetime(1970, 1, 1, tzinfo=UTC)) == 2 * 200 * 60


def test_a_torn_last_line_is_kept_reported_and_does_not_touch_the_next() -> None:
    append(entry("a", 3, 1))
    append(entry("b", 2, 4))
    torn = ledger_path().read_bytes()[:-20]
    ledger_path().write_bytes(torn)

    found = read_ledger()
    assert [line.run for line in found.entries] == ["a"]
    assert found.problem is not None
    assert found.problem.startswith(f"{ledger_path()}: line 2 cannot be read")
    assert found.problem.endswith("`podium repair quota.jsonl` removes it")
    assert ledger_path().read_bytes() == torn

    append(entry("c", 1, 2))
    assert ledger_path().read_bytes().startswith(torn + b"\n")
    assert [line.run for line in read_ledger().entries] == ["a", "c"]

    before = ledger_path().read_bytes()
    done = ledger.repair()
    assert done.done == ["quota.jsonl: 1 damaged line removed; the file as it was is quota.jsonl.damaged-1"]
    assert (ledger_path().parent / "quota.jsonl.damaged-1").read_bytes() == before
    assert (read_ledger().damaged, [line.run for line in read_ledger().entries]) == ((), ["a", "c"])
    assert not ledger.repair()


@pytest.mark.parametrize("line", ['{"run": 1}', "[]", "\x00\x00", '{"quota_s": NaN}', ""])
def test_a_line_that_says_nothing_is_reported(line: str) -> None:
    append(entry("a", 3, 1))
    with ledger_path().open("a") as file:
        file.write(line + "\n")
    assert read_ledger().damaged == (2,)


def test_a_whole_last_line_without_its_end_counts() -> None:
    append(entry("a", 3, 1))
    ledger_path().write_bytes(ledger_path().read_bytes().rstrip(b"\n"))
    append(entry("b", 2, 1))
    assert [line.run for line in read_ledger().entries] == ["a", "b"]


def test_a_ledger_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PODIUM_WORKSPACE", str(tmp_path / "file"))
    with pytest.raises(PodiumError, match=r"cannot write .*quota\.jsonl: .*"):
        append(entry("a", 3, 1))


def test_the_time_of_a_line_is_in_utc() -> None:
    append(entry("a", 0, 1))
    assert json.loads(ledger_path().read_text())["at"] == "2026-11-27T12:00:00Z"
