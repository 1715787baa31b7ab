import pytest

from podium.core.errors import UsageError
from podium.core.paths import study_dir
from podium.core.states import State
from tests.tuning.analytic import AnalyticWorker
from tests.tuning.population import PopulationWorker
from tests.tuning.search.test_objectives import BOTH, TradeOff
from tuning.study.storage import open_storage
from tuning.study.study import load_study

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


@pytest.mark.slow
def test_a_warm_started_study_is_resumed_as_an_undisturbed_one(run_sweep, old):  # noqa: ARG001
    changes = {**OLD, "trials": 6, "sampler": {"name": "tpe", "seed": 1, "n_startup_trials": 4}}
    undisturbed = run_sweep(changes, name="undisturbed", warm_start="old")
    stopped = run_sweep(changes, name="stopped", warm_start="old", ask=("stop-10",))
    assert stopped.trial(10).state is State.STOPPED
    resumed = run_sweep(changes, resume="stopped")
    assert len(resumed.trials) == 6
    assert [trial.overrides for trial in resumed.trials] == [trial.overrides for trial in undisturbed.trials]


@pytest.mark.slow
def test_a_population_begins_with_an_older_study_and_a_study_with_an_older_population(run_sweep, old):
    changes = {**OLD, "scheduler": {"name": "pbt", "perturb_every_steps": 20, "quantile": 0.5}, "trials": 5}
    population = run_sweep(changes, name="population", warm_start="old", worker=PopulationWorker)
    assert len(fed("population")) == 8
    assert [trial.number for trial in population.trials] == [*range(8, 13)]
    assert old.best().overrides in [trial.overrides for trial in population.trials]
    assert {trial.state for trial in population.trials} == {State.COMPLETE}

    new = run_sweep({**OLD, "trials": 3}, name="new", warm_start="population")
    alone = [trial.number for trial in population.trials if not trial.lineage.changes]
    assert fed("new") == [f"population/{number}" for number in alone]  # the others were not one configuration
    assert new.trials[1].overrides == population.best().lineage.root


def test_several_objectives_begin_with_several(run_sweep):
    several = {**OLD, "metric": None, "objectives": BOTH}
    older = run_sweep(several, name="older", worker=TradeOff)
    run_sweep({**several, "trials": 2}, name="new", warm_start="older", worker=TradeOff)
    told = open_storage(study_dir("new")).get_trials(deepcopy=False)
    values = {trial.user_attrs["fed_from"]: trial.values for trial in told if "fed_from" in trial.user_attrs}
    assert len(values) == 8
    for trial in older.trials:
        assert values[f"older/{trial.number}"] == (list(trial.values.values()) or None)


def test_a_study_that_shares_no_parameter_is_told_of_and_drawn_anew(run_sweep, old):  # noqa: ARG001
    other = {"train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1}}
    study = run_sweep({**OLD, "parameters": other, "trials": 3}, name="other", warm_start="old")
    assert (study.warm_start, fed("other")) == ("old", ["old/0"])  # the base config is in both
    assert {trial.state for trial in study.trials} == {State.COMPLETE}


def test_bad_input(run_sweep, old):  # noqa: ARG001
    with pytest.raises(UsageError, match="study 'absent' not found"):
        run_sweep(OLD, warm_start="absent")
    with pytest.raises(UsageError, match="that study is to maximize dev/answer_correctness, this space to minimize"):
        run_sweep({**OLD, "metric": "train/loss"}, warm_start="old")
    stopped = run_sweep(OLD, name="stopped", ask=("stop-0",))
    assert [trial.state for trial in stopped.trials] == [State.STOPPED]
    with pytest.raises(UsageError, match="study 'stopped' has no complete trial; run more: podium sweep --resume stop"):
        run_sweep(OLD, warm_start="stopped")
    assert load_study("old").name == "old"
    assert not study_dir("small-001").exists()
