"""`podium quota`, and the ledger that `podium repair` repairs by name."""

import json

from podium.core.budgets.ledger import ledger_path
from tests.core.test_quota import bin_folder, lock, rows, says, used  # noqa: F401 (a fixture: no `kaggle` on PATH)


def test_it_shows_used_reserved_and_left(podium):
    used(15.6)
    lock("first", time_budget_s=4 * 3600)
    done = podium("quota")
    assert done.code == 0
    head, gpu, tpu, *rest = done.out.splitlines()
    assert head.split() == ["quota", "a", "week", "used", "reserved", "left", "for", "sweeps"]
    assert gpu.split() == ["gpu", *["30.0", "h", "15.6", "h", "4.0", "h", "14.4", "h", "10.4", "h"]]
    assert tpu.split() == ["tpu", *["20.0", "h", "0.0", "h", "0.0", "h", "20.0", "h", "20.0", "h"]]
    assert "gpu: 4.0 h reserved for submission first, not yet run" in rest
    assert rest[-1] == "note: kaggle: not installed, so Kaggle's own figures are not known"


def test_a_profile_shows_the_quota_it_draws_on(podium, bin_folder):  # noqa: F811
    says(bin_folder, rows(10.5))
    used(3.0)
    done = podium("quota", "--profile", "kaggle-gpu-l4x4", "--json")
    found = json.loads(done.out)
    assert [row["quota"] for row in found["quotas"]] == ["gpu"]
    assert (found["quotas"][0]["used_s"], found["quotas"][0]["kaggle"]["used_s"]) == (3.0 * 3600, 10.5 * 3600)
    assert found["quotas"][0]["difference"].startswith("Kaggle says 10.5 h used, the ledger 3.0 h")
    assert found["notes"] == []


def test_a_profile_without_a_quota_is_refused(podium):
    done = podium("quota", "--profile", "local")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "profile 'local' has no quota; must be one of kaggle-tpu-v5e-8" in done.err
    done = podium("quota", "--profile", "kaggle")
    assert (done.code, "--profile='kaggle', must be one of local" in done.err) == (2, True)


def test_a_torn_line_is_reported_and_repaired_by_name(podium):
    used(3.0)
    used(2.0)
    ledger_path().write_bytes(ledger_path().read_bytes()[:-10])
    assert "line 2 cannot be read and does not count; `podium repair quota.jsonl` removes it" in podium("quota").out
    done = podium("repair", "quota.jsonl")
    assert done.out.splitlines()[0] == (
        "quota.jsonl: 1 damaged line removed; the file as it was is quota.jsonl.damaged-1"
    )
    assert "cannot be read" not in podium("quota").out
    assert podium("repair", "quota.jsonl").out == "quota.jsonl: nothing is damaged\n"
