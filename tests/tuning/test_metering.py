"""What a sweep writes into the quota ledger, and what it may use."""

import pytest

from eval.statistics.racing import reference_seeds
from podium.core.budgets.allowance import GATE_RUNS
from podium.core.budgets.ledger import EVERY_S, Meter, ledger_path, read_ledger
from podium.core.budgets.profiles import load_profile
from podium.core.clock import Deadline, FakeClock
from podium.core.errors import UsageError
from podium.core.states import State
from tests.core.test_quota import H, bin_folder, lock, used  # noqa: F401 (a fixture: no `kaggle` on PATH)
from tests.tuning.analytic import AnalyticWorker
from tuning.search.objectives import ANSWERS_S
from tuning.stopping import watched
from tuning.study.files import requested_stop

T4 = "kaggle-gpu-t4x2"


class Answering(AnalyticWorker):
    """Trains for 100 s, of which 20 s compile, and reports how long all answers of a submission take."""

    def advance(self, slot, until_step):
        report = super().advance(slot, until_step)
        metrics = {**report.metrics, ANSWERS_S: 50.0}
        return report.model_copy(update={"metrics": metrics, "elapsed_s": 100.0, "compile_s": 20.0})


def test_a_sweep_is_recorded_and_uses_no_quota_elsewhere(run_sweep):
    study = run_sweep({"trials": 1})
    begun, ended = read_ledger().entries
    assert (begun.activity, begun.name, begun.profile, begun.quota) == ("sweep", study.name, "local", None)
    assert (begun.ended, ended.ended, ended.quota_s) == (False, True, 0)
    assert ended.wall_s >= begun.wall_s
    assert ended.run == begun.run


def test_a_metered_sweep_writes_quota_seconds_and_says_its_limit(run_sweep):
    said = []
    run_sweep({"trials": 1}, profile="kaggle-gpu-l4x4", say=said.append)
    ended = read_ledger().entries[-1]
    assert (ended.profile, ended.quota, ended.quota_s) == ("kaggle-gpu-l4x4", "gpu", 2 * ended.wall_s)
    assert ended.quota_s > 0
    assert said == ["quota: limited to 30.0 h of 30.0 h left of gpu quota"]


def test_a_sweep_that_would_use_the_reserve_is_refused_at_its_start(run_sweep, home):
    lock("first", time_budget_s=12 * H)
    used(10.0)
    before = ledger_path().read_bytes()
    with pytest.raises(UsageError, match=r"this sweep asks for 9\.0 h, and 8\.0 h may be used: 20\.0 h left of gpu"):
        run_sweep(profile=T4, quota_s=9 * H)
    assert not (home / "workspace" / "studies").exists()
    assert ledger_path().read_bytes() == before


def test_a_sweep_without_a_limit_stops_before_the_reserve(run_sweep):
    lock("first", time_budget_s=12 * H)
    used(18.0 - 1e-9)  # which leaves a few microseconds
    study = run_sweep(profile=T4)
    assert study.trials == []
    assert study.summary["stopped"].startswith("the quota is used up: it allows ")


def test_the_time_of_a_submission_is_a_constraint(run_sweep):
    changes = {"trials": 1, "scheduler": "none"}
    fits = run_sweep({**changes, "constraints": ["plan/submission_s <= 150"]}, worker=Answering)
    assert [trial.state for trial in fits.trials] == [State.COMPLETE]
    assert fits.trials[0].metrics["plan/submission_s"] == 150.0
    over = run_sweep({**changes, "constraints": ["plan/submission_s <= 149"]}, worker=Answering)
    assert [trial.state for trial in over.trials] == [State.INFEASIBLE]
    assert "plan/submission_s" in over.trials[0].reason


def test_the_gates_runs_are_those_of_its_defaults():
    assert reference_seeds(3, 3) + 3 * 3 == GATE_RUNS


def test_a_sweep_whose_use_cannot_be_recorded_stops(tmp_path):
    clock = FakeClock()
    meter = Meter("sweep", "a", load_profile(T4), clock).__enter__()
    ledger_path().unlink()
    ledger_path().mkdir()  # a disk that refuses the line
    clock.advance(EVERY_S)
    never = Deadline.after(None, clock=clock)
    with watched(tmp_path, never, never, lambda: False, meter.tick):
        pass
    stop = requested_stop(tmp_path)
    assert stop is not None
    assert (stop.failed, "cannot write" in stop.reason) == (True, True)
