from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from podium.core.paths import study_dir
from podium.core.records import Report
from podium.core.states import State
from tests.tuning.conftest import fates, result
from tuning.bridge.searcher import OptunaBridge
from tuning.protocol import Job
from tuning.search.load import load_space
from tuning.study.create import create
from tuning.study.events import Event
from tuning.study.files import stop_file
from tuning.study.storage import open_storage
from tuning.study.study import load_study

FULL = 90


@pytest.fixture
def study(space):
    return create(space, None, {})


@pytest.fixture
def bridge(study, space):
    return OptunaBridge(study, space, limit=5)


UNSCORED = "it ended without a finite dev/answer_correctness"
RUNG = "the scheduler stopped it at step 30"
# The last result of a trial -> what Optuna has of it, what we say of it, and whether the sampler shall avoid it.
TOLD = [
    (result(FULL, State.COMPLETE, 80.0), TrialState.COMPLETE, State.COMPLETE, 80.0, -1.0, None),
    (result(30, State.RUNNING, 60.0), TrialState.PRUNED, State.PRUNED, None, -1.0, RUNG),
    (result(25, State.DIVERGED, None, "NaN"), TrialState.PRUNED, State.DIVERGED, None, 1.0, "NaN"),
    (result(0, State.INFEASIBLE, None, "9 GB"), TrialState.PRUNED, State.INFEASIBLE, None, 1.0, "9 GB"),
    (result(12, State.OOM, None, "memory"), TrialState.PRUNED, State.OOM, None, 1.0, "memory"),
    (result(0, State.FAILED, None, "KeyError"), TrialState.FAIL, State.FAILED, None, -1.0, "KeyError"),
    (result(FULL, State.COMPLETE), TrialState.FAIL, State.FAILED, None, -1.0, UNSCORED),
    (result(25, State.STOPPED), TrialState.RUNNING, State.STOPPED, None, None, None),
]  # fmt: skip


def test_what_optuna_is_told(study, space):
    bridge = OptunaBridge(study, space, limit=len(TOLD))
    for number, (last, *_) in enumerate(TOLD):
        bridge.suggest(str(number))
        bridge.on_trial_result(str(number), result(10, State.RUNNING, 40.0))
        bridge.on_trial_complete(str(number), last)
    views = load_study(study.study_name).trials
    found = [
        (trial.state, view.state, view.value, trial.constraints.get("state"), view.reason)
        for trial, view in zip(study.trials, views, strict=True)
    ]
    assert found == [tuple(expected) for _, *expected in TOLD]
    assert [trial.intermediate_values for trial in study.trials][:3] == [
        {10: 40.0, 90: 80.0},
        {10: 40.0, 30: 60.0},
        {10: 40.0},
    ]
    assert [view.step for view in views] == [90, 30, 25, 10, 12, 10, 90, 25]


def test_a_trial_whose_client_died_has_failed(bridge, study):
    bridge.suggest("t")
    bridge.on_trial_complete("t", None, error=True)
    assert study.trials[0].state is TrialState.FAIL
    assert load_study(study.study_name).trials[0].reason == "its clients died; max_failures=2 retries were used up"


def test_nan_cannot_be_reported_and_so_is_never_told():
    with pytest.raises(ValueError, match="finite"):
        Report(step=1, state=State.RUNNING, metrics={"dev/answer_correctness": float("nan")})


def test_infeasible_trials_do_not_draw_the_sampler(write_space):
    """Above 0.02 everything diverges, and the score rises up to there: a sampler that ignored it would stay beyond."""
    space = load_space(write_space(baseline=False, trials=40, sampler={"name": "tpe", "seed": 3}))
    study = create(space, None, {})
    bridge = OptunaBridge(study, space, limit=40)
    beyond = []
    for number in range(40):
        rate = Job.from_config(bridge.suggest(str(number))).config.train.learning_rate
        beyond.append(rate > 0.02)
        last = result(5, State.DIVERGED) if beyond[-1] else result(FULL, State.COMPLETE, 1000 * rate)
        bridge.on_trial_complete(str(number), last)
    assert sum(beyond[10:]) <= 10


def test_the_baseline_comes_first_and_is_protected(bridge, study, space):
    jobs = [Job.from_config(bridge.suggest(str(number))) for number in range(2)]
    assert jobs[0].config == space.base_config
    assert [job.protected for job in jobs] == [True, False]
    assert study.trials[0].params == {"train.learning_rate": 1e-3, "train.weight_decay": 0.0}


def test_a_baseline_outside_the_space_runs_with_the_base_config(write_space):
    rate = {"train.learning_rate": {"type": "float", "low": 0.5, "high": 0.9}}
    space = load_space(write_space(parameters=rate))
    bridge = OptunaBridge(create(space, None, {}), space, limit=2)
    assert Job.from_config(bridge.suggest("0")).config.train.learning_rate == 1e-3
    assert Job.from_config(bridge.suggest("1")).config.train.learning_rate >= 0.5


def test_there_are_no_more_trials_than_asked_for_and_none_after_a_stop(bridge, study, space):
    assert all(isinstance(bridge.suggest(str(number)), dict) for number in range(5))
    assert bridge.suggest("5") == Searcher.FINISHED
    more = OptunaBridge(study, space, limit=20)
    stop_file(study_dir(study.study_name)).touch()
    assert more.suggest("6") == Searcher.FINISHED


def test_values_that_do_not_go_together_are_infeasible_and_another_is_drawn(write_space):
    steps = {
        "train.max_steps": {"type": "int", "low": 20, "high": 21},
        "train.warmup_steps": {"type": "categorical", "choices": [0, 90]},
    }
    space = load_space(write_space(parameters=steps, baseline=False, sampler="random"))
    study = create(space, None, {})
    events: list[Event] = []
    bridge = OptunaBridge(study, space, limit=12, listeners=[events.append])
    while isinstance(bridge.suggest(str(len(events))), dict):
        pass
    trials = load_study(study.study_name).trials
    refused = [trial for trial in trials if trial.state is State.INFEASIBLE]
    assert len(trials) == 12
    assert {trial.overrides["train.warmup_steps"] for trial in refused} == {90}
    assert "train.warmup_steps=90, must be <= train.max_steps=2" in refused[0].reason
    assert all(trial.overrides["train.warmup_steps"] == 0 for trial in trials if trial.state is State.RUNNING)
    assert sum(event.kind == "finished" for event in events) == len(refused)


def test_proposals_follow_from_the_study_not_from_the_process(space):
    """The same trials told, the same proposal, whether one bridge asked for all of them or each had its own."""

    def proposals(restart: bool) -> list[float]:
        study = create(space, None, {})
        bridge = OptunaBridge(study, space, limit=12)
        rates = []
        for number in range(12):
            if restart:
                bridge = OptunaBridge(open_storage(study_dir(study.study_name)), space, limit=12)
            rates.append(Job.from_config(bridge.suggest(str(number))).config.train.learning_rate)
            bridge.on_trial_complete(str(number), result(FULL, State.COMPLETE, 100 * rates[-1]))
        return rates

    undisturbed = proposals(restart=False)
    assert undisturbed == proposals(restart=True)
    assert len(set(undisturbed)) == 12


def test_a_running_trial_is_adopted_with_its_reports(bridge, study, space):
    bridge.suggest("t")
    bridge.on_trial_result("t", result(10, State.RUNNING, 40.0))
    bridge.stop_rest()
    assert fates(load_study(study.study_name)) == {0: (State.STOPPED, None, 10)}
    later = OptunaBridge(open_storage(study_dir(study.study_name)), space, limit=5)
    assert later.n_jobs == 5
    job = Job.from_config(later.suggest("again"))
    assert (job.number, job.reports) == (0, {10: 40.0})
    later.on_trial_result("again", result(10, State.RUNNING, 41.0))  # it went back to an earlier checkpoint
    later.on_trial_complete("again", result(FULL, State.COMPLETE, 70.0))
    seen = load_study(study.study_name).trials[0]
    assert (seen.state, seen.value, seen.reports) == (State.COMPLETE, 70.0, {10: 40.0, FULL: 70.0})


def test_a_trial_whose_parameters_were_not_all_drawn_is_drawn_as_it_would_have_been(space):
    whole, cut = create(space, "whole", {}), create(space, "cut", {})
    undisturbed = OptunaBridge(whole, space, limit=2)
    expected = [undisturbed.suggest(str(number)) for number in range(2)]
    OptunaBridge(cut, space, limit=1).suggest("0")
    cut.sampler = optuna.samplers.RandomSampler(seed=0)
    trial = cut.ask()  # and then the driver died
    assert trial.number == 1
    bridge = OptunaBridge(cut, space, limit=2)
    assert [bridge.suggest(str(number)) for number in range(2)] == expected


@pytest.mark.parametrize("sampler", [{"name": "random"}, {"name": "tpe", "n_startup_trials": 2}, {"name": "qmc"}])
@pytest.mark.parametrize("number", [1, 4])
def test_a_trial_that_was_killed_between_two_parameters_gets_the_second_as_it_would_have_been(
    write_space, monkeypatch, sampler, number
):
    space = load_space(write_space(sampler=sampler))

    def proposals(name: str, dies: bool) -> list[Any]:
        study = create(space, name, {})
        bridge, proposed = OptunaBridge(study, space, limit=5), []
        for trial in range(5):
            if dies and trial == number:
                with monkeypatch.context() as patch, pytest.raises(Killed):
                    kill_at_second_parameter(patch, study)
                    bridge.suggest("killed")
                study = open_storage(study_dir(name))
                assert len(study.trials[trial].params) == 1
                bridge = OptunaBridge(study, space, limit=5)
            proposed.append(bridge.suggest(str(trial)))
            bridge.on_trial_complete(str(trial), result(FULL, State.COMPLETE, 10.0 * trial))
        return proposed

    assert proposals("killed", dies=True) == proposals("whole", dies=False)


class Killed(BaseException):
    """Stands for kill -9: nothing is recorded after it."""


def kill_at_second_parameter(patch: pytest.MonkeyPatch, study: Any) -> None:
    write, written = study._storage.set_trial_param, []

    def write_or_die(trial_id: int, name: str, *rest: Any) -> None:
        if written:
            raise Killed
        written.append(name)
        write(trial_id, name, *rest)

    patch.setattr(study._storage, "set_trial_param", write_or_die)


def test_events_tell_what_is_on_record(study, space):
    events: list[Event] = []
    bridge = OptunaBridge(study, space, limit=1, listeners=[events.append])
    bridge.suggest("t")
    bridge.on_trial_result("t", result(10, State.RUNNING, 40.0))
    bridge.on_trial_complete("t", result(FULL, State.COMPLETE, 80.0))
    assert [(event.kind, event.trial.step, event.trial.value) for event in events] == [
        ("started", 0, None),
        ("reported", 10, None),
        ("finished", FULL, 80.0),
    ]
