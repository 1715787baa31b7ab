"""Several objectives: a worker whose speed falls as its score rises, so that there is a front."""

from pathlib import Path

import pytest
from ray import cloudpickle

from podium.cli.main import main
from podium.core.errors import UsageError
from podium.core.records import Report
from podium.core.states import State
from tests.tuning.analytic import AnalyticWorker
from tests.tuning.conftest import fates
from tuning.search.load import load_space
from tuning.study.overview import importance
from tuning.study.study import load_study
from tuning.study.trial import front

SCORE, SPEED = "dev/answer_correctness", "train/tokens_per_s"
BOTH = [{"metric": SCORE, "mode": "max"}, {"metric": SPEED}]


class TradeOff(AnalyticWorker):
    def advance(self, slot: int, until_step: int) -> Report:
        report = super().advance(slot, until_step)
        speed = 1000 * (1 - self.configs[slot].train.weight_decay) / (1 + self.configs[slot].train.learning_rate)
        has_score = SCORE in report.metrics and not (self.folder / f"mute-{slot}").exists()
        return report.model_copy(update={"metrics": {**report.metrics, SPEED: speed}}) if has_score else report


cloudpickle.register_pickle_by_value(__import__("sys").modules[__name__])


@pytest.fixture
def run_both(run_sweep):
    def run(changes=None, **options):
        return run_sweep({"metric": None, "objectives": BOTH, **(changes or {})}, **{"worker": TradeOff, **options})

    return run


def test_a_study_with_two_objectives_has_a_front(run_both, store, capsys):
    study = run_both({"constraints": ["train/tokens_per_s >= 100"]})
    complete = [trial for trial in study.trials if trial.state is State.COMPLETE]
    assert len(complete) > 2 and State.PRUNED in {trial.state for trial in study.trials}
    best, shown = study.best(), study.front()
    assert best in shown and best.value == max(trial.value for trial in complete)
    fastest = max(complete, key=lambda trial: trial.values[SPEED])
    assert fastest in shown
    for trial in complete:
        beaten = any(
            other.value >= trial.value and other.values[SPEED] >= trial.values[SPEED] and other.values != trial.values
            for other in complete
        )
        assert beaten == (trial not in shown)
    ended = [trial for trial in study.trials if trial.state in (State.COMPLETE, State.PRUNED)]
    assert all(trial.step in trial.reports for trial in ended)  # of the first objective; Optuna takes none
    assert load_study(study.name) == study
    assert study.frame().loc[best.number, SPEED] == best.values[SPEED]
    _assert_mlflow_has_both(best, store)
    _assert_podium_shows(study, capsys)


def _assert_mlflow_has_both(trial, store):
    from tuning.tracking.store import open_client

    run = open_client(f"sqlite:///{store}").get_run(trial.mlflow_run_id)
    assert {name: run.data.metrics[name] for name in (SCORE, SPEED)} == trial.values


def _assert_podium_shows(study, capsys):
    printed = {}
    for command in ("show", "trials", "importance"):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([command, study.name])
        printed[command] = capsys.readouterr().out
        assert not ended.value.code
    on_front = [line for line in printed["show"].splitlines() if line.startswith("  on the Pareto front: trial ")]
    assert len(on_front) == len(study.front())
    assert f"maximize {SCORE}, maximize {SPEED}" in printed["show"]
    assert printed["trials"].split()[:5] == ["trial", "state", "step", "score", SPEED]
    assert printed["importance"].split()[:3] == ["parameter", SCORE, SPEED]
    assert [set(shares) for shares in importance(study.name).values()] == [set(study.space.parameters)] * 2


@pytest.mark.slow
def test_with_nsga_a_resumed_study_ends_as_an_undisturbed_one(run_both):
    nsga = {"sampler": {"name": "nsga2", "seed": 1, "population_size": 3}, "trials": 9}
    undisturbed = run_both(nsga, name="undisturbed")
    run_both(nsga, name="stopped", ask=("stop-6",))
    resumed = run_both(nsga, resume="stopped")
    assert fates(resumed) == fates(undisturbed)
    assert [trial.values for trial in resumed.trials] == [trial.values for trial in undisturbed.trials]


def test_a_trial_without_one_of_the_objectives_has_failed(run_both):
    def mute(event) -> None:
        (event.trial.dir.parents[1] / "mute-1").touch()

    tame = {"train.learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2}}
    study = run_both({"trials": 2, "parameters": tame, "scheduler": "none"}, listeners=[mute])
    assert (study.trial(1).state, study.trial(1).value) == (State.FAILED, None)
    assert study.trial(1).reason == f"it ended without a finite {SPEED}"
    assert study.front() == [study.trial(0)] == front(study.trials)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": BOTH[:1]}, r"objectives=\['dev/answer_correctness'\], must be two or more different metrics"),
        ({"objectives": [BOTH[0], BOTH[0]]}, r"must be two or more different metrics; write a single one"),
        (
            {"objectives": BOTH[::-1]},
            r"objectives begin with train/tokens_per_s, must begin with one of dev/answer_corr",
        ),
        ({"objectives": [BOTH[0], {"metric": "speed"}]}, r"metric='speed', must be one of dev/answer_correctness, "),
        ({"objectives": [BOTH[0], {**BOTH[1], "mode": "most"}]}, r"mode='most'"),
        (
            {"objectives": BOTH, "metric": "train/loss"},
            r"metric='train/loss', but the first of the objectives is 'dev/ans",
        ),
        ({"objectives": BOTH, "sampler": "cmaes"}, r"sampler cmaes supports one objective only"),
    ],
)
def test_objectives_that_cannot_be_are_refused(write_space, changes, message):
    with pytest.raises(UsageError, match=message) as caught:
        load_space(Path(write_space(**{"metric": None, **changes})))
    assert "\n" not in str(caught.value)
