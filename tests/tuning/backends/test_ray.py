"""The Ray backend, with the same worker that the inline tests use."""

import shutil
import sys

import pytest
from ray import cloudpickle
from ray._private.state import actors

from eval.sets.evalset import load_evalset
from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_jsonl, to_line
from podium.core.states import State
from tests.submission.small import write_study
from tests.tuning import killing
from tests.tuning.analytic import AnalyticWorker
from tests.tuning.conftest import fates
from tests.tuning.holdout import HoldoutByChance
from tests.tuning.workers.test_worker import ABOUT
from tuning.backends import make_backend
from tuning.backends.trainable import POOL_DIED
from tuning.promotion import promote
from tuning.search.worker_options import parse_workers
from tuning.study.files import CONFIRMATION_DIR
from tuning.study.overview import log_tail
from tuning.study.study import load_study

# Ray's processes cannot import test modules by name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
pytestmark = pytest.mark.usefixtures("ray_here")

PLAIN = {"scheduler": "none", "report_every_steps": 30}  # three reports a trial


def calls(study) -> list[dict]:
    return [value for _, value in read_jsonl(study.dir / "calls.jsonl")]


def test_both_backends_decide_alike(run_sweep):
    """With one worker trials follow each other, and proposals that do not wait for results are the same in both."""
    alike = {"sampler": {"name": "random", "seed": 1}, "workers": 1, "trials": 10}
    inline, ray = run_sweep(alike, backend="inline"), run_sweep(alike, backend="ray")
    assert fates(ray) == fates(inline)
    assert {state for state, _, _ in fates(ray).values()} == {State.COMPLETE, State.PRUNED, State.DIVERGED}
    assert [trial.overrides for trial in ray.trials] == [trial.overrides for trial in inline.trials]
    assert [trial.reports for trial in ray.trials] == [trial.reports for trial in inline.trials]
    assert [trial.reason for trial in ray.trials] == [trial.reason for trial in inline.trials]


def test_confirmation_runs_are_the_same_on_both_backends(home):
    trials = ((State.COMPLETE, 40.0), (State.COMPLETE, 50.0), (State.COMPLETE, 60.0))
    study = write_study(home, *trials, n_items=240)
    found = promote(study, backend="ray", worker=HoldoutByChance).decision
    shutil.rmtree(load_study(study).dir / CONFIRMATION_DIR)
    assert found == promote(study, backend="inline", worker=HoldoutByChance).decision
    assert [len(one.seeds) for one in (found.reference, *found.candidates)] == [4, 3, 2]


def test_two_workers_share_the_trials_and_a_dead_one_is_replaced(run_sweep):
    study = run_sweep({**PLAIN, "workers": 2, "trials": 10}, ask=("die-0", "crash-3"), backend="ray")
    states = {trial.number: trial.state for trial in study.trials}
    assert states[0] is State.COMPLETE and states[3] in (State.FAILED, State.DIVERGED)
    assert set(states.values()) <= {State.COMPLETE, State.DIVERGED, State.FAILED}
    assert len(states) == 10
    assert [worker["deaths"] for worker in study.summary["workers"]].count(1) == 1
    done = calls(study)
    attached = [call for call in done if call["trial"] == 0 and call["call"] == "attach"]
    assert [call["step"] for call in attached] == [0, 30]  # it went on from its checkpoint
    replaced = next(worker for worker in study.summary["workers"] if worker["deaths"])
    assert replaced["pid"] != attached[0]["pid"]  # and its worker was started again


def test_a_stopped_sweep_goes_on_where_its_trials_were(run_sweep):
    n = 30
    plain = {**PLAIN, "workers": 2, "trials": n, "baseline": False}
    tame = {"train.learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2}}
    stopped = run_sweep({**plain, "parameters": tame}, ask=("stop-4",), backend="ray")
    assert stopped.summary["stopped"] == "a test asked for it"
    assert stopped.trial(4).state is State.STOPPED
    assert len(stopped.trials) < n  # many: the other worker goes on until the stop is seen
    resumed = run_sweep({**plain, "parameters": tame}, resume=stopped.name, backend="inline")  # the twin takes over
    assert [trial.state for trial in resumed.trials] == [State.COMPLETE] * n
    trained = [(call["trial"], call["step"]) for call in calls(resumed) if call["call"] == "advance"]
    assert len(trained) == len(set(trained)) == n * 3  # no step was trained twice, and none left out
    assert fates(load_study(stopped.name)) == fates(resumed)


TAME = {"train.learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2}}
# A worker and its client are four seconds of a core to start: most tests have one, and none of them diverges.
THREE = {"trials": 3, "workers": 1, "scheduler": "none", "parameters": TAME}


class KillWorkers:
    """A listener that kills the worker of trial 2 at its first report, and the last worker when all trials ended."""

    def __init__(self) -> None:
        self.killed, self.ended = [], 0

    def __call__(self, event) -> None:
        self.ended += event.kind == "finished"
        at_report = (event.kind, event.trial.number) == ("reported", 2) and not self.killed
        if at_report or (event.kind, self.ended) == ("finished", 4):
            done = [value for _, value in read_jsonl(event.trial.dir.parents[1] / "calls.jsonl")]
            self.killed.append([call["pid"] for call in done if call["trial"] == event.trial.number][-1])
            killing.kill(self.killed[-1])


def test_a_dead_worker_is_replaced_and_only_a_trial_that_kills_it_again_fails(run_sweep):
    """A few instants of many; test_kill_worker.py has 20, with real training."""
    kill = KillWorkers()
    asked = {**THREE, "trials": 4, "max_failures": 1}
    study = run_sweep(asked, ask=("doom-1",), backend="ray", listeners=[kill])
    complete = State.COMPLETE
    assert [trial.state for trial in study.trials] == [complete, State.FAILED, complete, complete]
    doomed = study.trial(1)
    assert "was killed (SIGKILL) or exited without a message" in doomed.reason
    assert "max_failures=1 retries were used up" in doomed.reason
    assert log_tail(doomed)[-1] == "trial 1 is doomed"
    first, again = (call for call in calls(study) if call["trial"] == 2 and call["call"] == "attach")
    assert (first["step"], first["pid"]) == (0, kill.killed[0])  # it was killed, and the trial went on elsewhere
    assert again["step"] >= 10 and again["pid"] != kill.killed[0]
    assert kill.ended == 4 and len(kill.killed) == 2
    # Trial 1 killed two, the listener two; the last of them had nothing left to do.
    assert sum(worker["deaths"] for worker in study.summary["workers"]) == 4


def pids(actor: str) -> list[int]:
    """Of the actors of that class that live."""
    return [one["Pid"] for one in actors().values() if (one["ActorClassName"], one["State"]) == (actor, "ALIVE")]


class Kill:
    """A listener that kills all actors of a class when trial 1 reports for the `nth` time, for each of these."""

    def __init__(self, actor: str, *nth: int) -> None:
        self.actor, self.nth, self.heard = actor, nth, 0

    def __call__(self, event) -> None:
        if event.kind == "reported" and event.trial.number == 1:
            self.heard += 1
            for pid in pids(self.actor) if self.heard in self.nth else ():
                killing.kill(pid)


CLIENT = "with_resources.<locals>.ResourceTrainable"  # what Tune makes of TrialClient


class Reading(AnalyticWorker):
    """It reads its evalset by a path that is relative to the folder of the driver, where Ray was not started."""

    def attach(self, trial_id, config, checkpoint):
        assert [sample.id for sample in load_evalset(config.eval.evalset).samples] == ["x"]
        return super().attach(trial_id, config, checkpoint)


def test_killed_clients_cost_no_trial(run_sweep, home, monkeypatch):
    """A client is the process that asks for a trial's steps."""
    (home / "here").mkdir()
    monkeypatch.chdir(home / "here")  # which home is not: a path below that is found from anywhere
    (home / "here" / "own.jsonl").write_text(to_line({"id": "x", "prompt": "1+2=?", "expected_answer": "3", **ABOUT}))
    own = {**THREE, "overrides": {"eval.evalset": "./own.jsonl"}}
    study = run_sweep(own, backend="ray", listeners=[Kill(CLIENT, 2)], worker=Reading)
    assert study.trial(1).config.eval.evalset == "./own.jsonl"  # which a lock can take to another machine
    assert [trial.state for trial in study.trials] == [State.COMPLETE] * 3
    assert [sorted(trial.reports) for trial in study.trials] == [[*range(10, 91, 10)]] * 3
    assert sum(worker["deaths"] for worker in study.summary["workers"]) == 0
    attached = [call["step"] for call in calls(study) if call["call"] == "attach" and call["trial"] == 1]
    assert attached[0] == 0 and attached[1] >= 20  # it went on from its checkpoint
    assert log_tail(study.trial(1))[0].startswith("its client (process ")


@pytest.mark.slow
def test_a_trial_whose_clients_die_again_and_again_fails(run_sweep):
    """Two workers have three clients, which are killed at once."""
    asked = {**THREE, "workers": 2, "max_failures": 1}
    study = run_sweep(asked, backend="ray", listeners=[Kill(CLIENT, 2, 4)])
    failed = [trial for trial in study.trials if trial.state is State.FAILED]
    assert study.trial(1) in failed
    for trial in failed:
        assert "killed (SIGKILL) or exited without a message; max_failures=1 retries were used up" in trial.reason
        assert trial.reason.startswith(log_tail(trial)[0])


def test_the_death_of_the_pool_ends_the_sweep_and_fails_no_trial(run_sweep):
    study = run_sweep(THREE, backend="ray", listeners=[Kill("Pool", 3)])
    assert (study.summary["stopped"], study.summary["failed"]) == (POOL_DIED, True)
    assert {trial.state for trial in study.trials} <= {State.COMPLETE, State.STOPPED}
    assert study.trial(1).state is State.STOPPED
    resumed = run_sweep(THREE, resume=study.name, backend="inline")
    assert [trial.state for trial in resumed.trials] == [State.COMPLETE] * 3


@pytest.mark.slow
def test_a_trial_that_hangs_is_ended_and_its_worker_replaced(run_sweep):
    study = run_sweep({**THREE, "trial_timeout_s": 10.0}, ask=("hang-1",), backend="ray")
    assert [trial.state for trial in study.trials].count(State.COMPLETE) == 2
    assert study.trial(1).state is State.FAILED
    assert study.trial(1).reason.startswith("it ran for longer than trial_timeout_s=10; its worker did not end it")
    assert sum(worker["deaths"] for worker in study.summary["workers"]) == 1


class NoWorker(AnalyticWorker):
    def __init__(self, study_folder) -> None:
        raise OSError(f"no device for {study_folder.name}")


def test_a_worker_that_cannot_start_ends_the_sweep_with_its_reason(run_sweep):
    with pytest.raises(PodiumError, match=r"a worker did not start: .*no device for small-001"):
        run_sweep(THREE, backend="ray", worker=NoWorker)


def test_devices_that_are_not_there_are_refused(space):
    gpu = space.model_copy(update={"base_config": RunConfig().with_overrides({"device.kind": "gpu"})})
    with pytest.raises(UsageError, match=r"device\.kind='gpu', but Ray found no GPU here; use auto or cpu"):
        make_backend("ray", gpu, 4)
    with pytest.raises(UsageError, match="workers=500, but there are"):
        make_backend("ray", space.model_copy(update={"workers": parse_workers(500)}), 1000)
