import pytest

from podium.core.errors import UsageError
from podium.core.paths import study_dir
from podium.core.states import State
from tests.tuning.analytic import AnalyticWorker
from tuning.storage import open_storage
from tuning.study import load_study

RATE = {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}
OLD = {"parameters": {"train.learning_rate": RATE}, "trials": 8, "sampler": {"name": "qmc", "seed": 2}}


@pytest.fixture
def old(run_sweep):
    return run_sweep(OLD, name="old")


def fed(name: str) -> list[str]:
    trials = open_storage(study_dir(name)).get_trials(deepcopy=False)
    return [trial.user_attrs["fed_from"] for trial in trials if "fed_from" in trial.user_attrs]


def test_the_best_is_tried_and_every_trial_of_the_same_space_is_known(run_sweep, old):
    new = run_sweep({**OLD, "trials": 4, "baseline": False}, name="new", warm_start="old")
    assert fed("new") == [f"old/{number}" for number in range(8)]
    assert [trial.number for trial in new.trials] == [8, 9, 10, 11]
    assert new.trials[0].overrides == old.best().overrides
    assert new.best().value >= old.best().value
    assert (new.warm_start, old.warm_start) == ("old", None)
    told = {trial.number: trial for trial in open_storage(study_dir("new")).get_trials(deepcopy=False)}
    for trial in old.trials:
        assert told[trial.number].value == trial.value
        assert told[trial.number].intermediate_values == trial.reports
        assert (told[trial.number].constraints["state"] > 0) == (trial.state is State.DIVERGED)


def test_only_what_the_new_space_could_draw_is_known(run_sweep, old):
    narrow = {"train.learning_rate": {**RATE, "low": 3e-3}}
    run_sweep({**OLD, "parameters": narrow, "trials": 2}, name="narrow", warm_start="old")
    inside = [trial.number for trial in old.trials if trial.config.train.learning_rate >= 3e-3]
    assert 0 < len(inside) < 8
    assert fed("narrow") == [f"old/{number}" for number in inside]

    other = run_sweep({**OLD, "overrides": {"train.batch_size": 2}, "trials": 2}, name="other", warm_start="old")
    assert fed("other") == []  # another base config: its scores say nothing
    assert other.trials[1].overrides == old.best().overrides  # and still its best is worth a try

    wider = {**OLD["parameters"], "train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1}}
    run_sweep({**OLD, "parameters": wider, "trials": 2}, name="wider", warm_start="old")
    assert len(fed("wider")) == 8  # all with the base config's weight decay, which can be drawn


def test_scores_on_other_data_say_nothing(run_sweep, old, monkeypatch):  # noqa: ARG001
    monkeypatch.setattr(AnalyticWorker, "check", staticmethod(lambda _: {"evalset_sha256": "f" * 64}))
    study = run_sweep({**OLD, "trials": 2}, name="new", warm_start="old")
    assert fed("new") == []
    assert len(study.trials) == 2


def test_a_warm_started_study_is_resumed_as_an_undisturbed_one(run_sweep, old):  # noqa: ARG001
    changes = {**OLD, "trials": 6, "sampler": {"name": "tpe", "seed": 1, "n_startup_trials": 4}}
    undisturbed = run_sweep(changes, name="undisturbed", warm_start="old")
    stopped = run_sweep(changes, name="stopped", warm_start="old", ask=("stop-10",))
    assert stopped.trial(10).state is State.STOPPED
    resumed = run_sweep(changes, resume="stopped")
    assert len(resumed.trials) == 6
    assert [trial.overrides for trial in resumed.trials] == [trial.overrides for trial in undisturbed.trials]


def test_bad_input(run_sweep, old):  # noqa: ARG001
    with pytest.raises(UsageError, match="study 'absent' not found"):
        run_sweep(OLD, warm_start="absent")
    with pytest.raises(UsageError, match="that study is to maximize dev/answer_correctness, this space to minimize"):
        run_sweep({**OLD, "metric": "train/loss"}, warm_start="old")
    with pytest.raises(UsageError, match="study 'old' has begun; warm-start a new one"):
        run_sweep(OLD, resume="old", warm_start="old")
    assert load_study("old").name == "old"
    assert not study_dir("small-001").exists()
