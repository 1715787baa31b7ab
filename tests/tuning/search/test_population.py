"""Population-based training: the decisions, and whole sweeps with a worker whose checkpoints carry a level."""

import random

import pytest

from podium.cli.main import main
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.files import read_jsonl
from podium.core.states import State
from tests.tuning.analytic import CLIFF
from tests.tuning.conftest import fates
from tests.tuning.population import PopulationWorker
from tuning.search.load import load_space
from tuning.search.population import Standing, exploits, explore, stops
from tuning.search.schedulers.pbt import PbtScheduler
from tuning.study.overview import importance
from tuning.study.study import load_study

RATE = {"train.learning_rate": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True}}
PBT = {"name": "pbt", "perturb_every_steps": 20, "quantile": 0.5}
SMALL = {"scheduler": PBT, "sampler": {"name": "random", "seed": 3}, "trials": 5, "parameters": RATE, "baseline": False}


@pytest.fixture
def run_pbt(run_sweep):
    def run(changes=None, **options):
        return run_sweep({**SMALL, **(changes or {})}, **{"worker": PopulationWorker, **options})

    return run


def lineages(study):
    return {trial.number: trial.lineage for trial in study.trials}


def test_the_worst_and_the_lost_copy_one_of_the_best():
    members = [Standing(number, float(number)) for number in range(8)] + [Standing(8, None)]
    chosen = exploits(members, 0.25, random.Random(0))
    assert set(chosen) == {0, 1, 8}
    assert set(chosen.values()) <= {6, 7}
    assert exploits(members, 0.25, random.Random(0)) == chosen
    kept = [Standing(0, 0.0, keeps_own=True), *members[1:8], Standing(8, None, keeps_own=True)]
    assert set(exploits(kept, 0.25, random.Random(0))) == {1}


def test_nobody_copies_an_equal_and_nobody_a_lost_one():
    assert exploits([Standing(0, 1.0), Standing(1, 1.0)], 0.5, random.Random(0)) == {}
    assert exploits([Standing(0, None), Standing(1, None)], 0.5, random.Random(0)) == {}
    assert exploits([Standing(0, 1.0), Standing(1, None)], 0.25, random.Random(0)) == {1: 0}
    assert exploits([], 0.25, random.Random(0)) == {}


def test_all_meet_at_the_same_steps():
    assert stops(20, 90) == [20, 40, 60, 80, 90]
    assert stops(30, 90) == [30, 60, 90]


PARAMETERS = {
    "train.learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "train.label_smoothing": {"type": "float", "low": 0.0, "high": 0.4, "step": 0.1},
    "train.warmup_steps": {"type": "int", "low": 0, "high": 9},
    "train.schedule": {"type": "categorical", "choices": ["constant", "cosine", "wsd"]},
    "train.decay_fraction": {"type": "float", "low": 0.1, "high": 0.9, "when": {"train.schedule": "wsd"}},
    "train.beta2": "=1 - 10 * train.learning_rate / 10",
}


def test_new_values_lie_near_the_old_ones_or_are_drawn_anew(write_space):
    space = load_space(write_space(**{**SMALL, "parameters": PARAMETERS}))
    now = {"train.learning_rate": 1e-2, "train.label_smoothing": 0.2, "train.warmup_steps": 2}
    donor = RunConfig().with_overrides({**now, "train.schedule": "cosine"})
    near = PbtScheduler(resample_probability=0)
    found = [explore(space, donor, near, random.Random(seed)) for seed in range(40)]
    assert {round(values["train.learning_rate"], 9) for values in found} == {8e-3, 1.2e-2}
    assert {round(values["train.label_smoothing"], 9) for values in found} == {0.2}  # the next steps are too far
    assert {values["train.warmup_steps"] for values in found} == {1, 3}
    assert {values["train.schedule"] for values in found} == {"cosine"}
    assert all(values["train.beta2"] == 1 - values["train.learning_rate"] for values in found)
    assert all("train.decay_fraction" not in values for values in found)
    anew = [explore(space, donor, PbtScheduler(resample_probability=1), random.Random(seed)) for seed in range(40)]
    assert {values["train.schedule"] for values in anew} == {"constant", "cosine", "wsd"}
    assert all(("train.decay_fraction" in values) == (values["train.schedule"] == "wsd") for values in anew)
    assert all(1e-4 <= values["train.learning_rate"] <= 1e-1 and space.refusal(values) is None for values in anew)


def test_the_worst_members_go_on_from_the_best(run_pbt, store, tmp_path, capsys):
    study = run_pbt()
    assert [(trial.state, trial.step) for trial in study.trials] == [(State.COMPLETE, 90)] * 5
    copied = [trial for trial in study.trials if trial.lineage.mutations]
    assert copied
    for trial in copied:
        first = trial.lineage.mutations[0]
        donor = study.trial(first.donor)
        assert first.donor_score == donor.reports[first.step] > (first.score or 0.0)
        assert trial.reports[first.step + 10] > 0.9 * first.donor_score  # it has the donor's level, not its own
    _assert_every_lineage_is_one_run(study, PopulationWorker(tmp_path))
    _assert_mlflow_shows(copied[0], store)
    _assert_podium_shows(study.name, copied[0], capsys)
    assert study.frame().mutations.sum() == sum(len(trial.lineage.mutations) for trial in study.trials)
    with pytest.raises(UsageError, match=r"study 'small-001' is a population: its members copy each other"):
        importance(study.name)
    with pytest.raises(UsageError, match="scheduler pbt with 6 trials, but the study is a population of 5"):
        run_pbt(trials=6, resume=study.name)


def _assert_every_lineage_is_one_run(study, worker):
    """A member's config, trained from the first step without a population, has the same rates and the same score."""
    lines = [line for _, line in read_jsonl(study.dir / "rates.jsonl")]
    for trial in study.trials:
        replayed = worker.advance(worker.attach(trial.number, trial.config, None), 90)
        assert replayed.metrics["dev/answer_correctness"] == trial.value
        since = trial.lineage.mutations[-1].step if trial.lineage.mutations else 0
        rates = [line["rate"] for line in lines if line["trial"] == trial.number]
        assert rates[since - 90 :] == [trial.config.at(step).train.learning_rate for step in range(since, 90)]


def _assert_mlflow_shows(trial, store):
    from tuning.tracking.store import open_client

    client = open_client(f"sqlite:///{store}")
    points = client.get_metric_history(trial.mlflow_run_id, "pbt/train.learning_rate")
    drawn = {one.step: one.overrides["train.learning_rate"] for one in trial.lineage.mutations}
    assert {point.step: point.value for point in points} == drawn
    params = client.get_run(trial.mlflow_run_id).data.params
    assert params["learning_rate"] == f"{trial.overrides['train.learning_rate']:.4g}"


def test_a_diverged_member_is_replaced_and_the_last_part_has_no_second_chance(run_pbt):
    high = {"train.learning_rate": {"type": "float", "low": 1e-3, "high": 9e-2, "log": True}}
    start = [{"train.learning_rate": 8e-2}, {"train.learning_rate": 1e-2}]
    study = run_pbt({"parameters": high, "start_with": start, "trials": 4})
    lost = study.trial(0)
    assert lost.lineage.lost[20] == "loss exploded at step 0"
    assert (lost.lineage.mutations[0].step, lost.lineage.mutations[0].score) == (20, None)
    assert 10 not in lost.reports and 30 in lost.reports
    assert {trial.state for trial in study.trials} <= {State.COMPLETE, State.DIVERGED}
    assert all(trial.lineage.changes for trial in study.trials if trial.state is State.DIVERGED)


def test_where_all_diverge_all_end_so(run_pbt):
    high = {"train.learning_rate": {"type": "float", "low": 1.1 * CLIFF, "high": 2 * CLIFF}}
    study = run_pbt({"parameters": high, "trials": 3})
    assert [trial.state for trial in study.trials] == [State.DIVERGED] * 3
    assert [trial.reason for trial in study.trials] == ["loss exploded at step 0"] * 3


def test_the_base_config_keeps_its_own_and_a_crashed_member_ends(run_pbt):
    study = run_pbt({"baseline": True}, ask=("crash-2",))
    assert study.trial(0).baseline and not study.trial(0).lineage.mutations
    assert study.trial(2).state is State.FAILED
    assert [study.trial(number).state for number in (0, 1, 3, 4)] == [State.COMPLETE] * 4


@pytest.mark.slow
def test_a_stopped_population_ends_as_an_undisturbed_one(run_pbt):
    undisturbed = run_pbt(name="undisturbed")
    stopped = run_pbt(name="stopped", ask=("stop-2",))
    assert stopped.summary["stopped"] == "a test asked for it"
    assert {trial.state for trial in stopped.trials} == {State.STOPPED}
    resumed = run_pbt(resume="stopped")
    assert (fates(resumed), lineages(resumed)) == (fates(undisturbed), lineages(undisturbed))
    assert [trial.reports for trial in resumed.trials] == [trial.reports for trial in undisturbed.trials]
    assert fates(load_study("stopped")) == fates(resumed)


@pytest.mark.parametrize(
    "n_events", [11, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3, 7, 16, 17, 18, 30))]
)
def test_a_driver_that_dies_anywhere_decides_the_same_again(run_pbt, n_events):
    """It dies after so many events: among them drawings, reports and copies."""
    undisturbed = run_pbt(name="undisturbed")
    with pytest.raises(Death):
        run_pbt(name="died", listeners=[Dying(n_events)])
    resumed = run_pbt(resume="died")
    assert (fates(resumed), lineages(resumed)) == (fates(undisturbed), lineages(undisturbed))


class Death(BaseException):
    """Nobody catches it."""


class Dying:
    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, event) -> None:  # noqa: ARG002
        self.left -= 1
        if self.left < 0:
            raise Death


def _assert_podium_shows(study, trial, capsys):
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["show", f"{study}/{trial.number}"])
    first = trial.lineage.mutations[0]
    line = f"  after step {first.step}: copied trial {first.donor}, which had "
    assert [shown for shown in capsys.readouterr().out.splitlines() if shown.startswith(line)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"parameters": {**RATE, "train.batch_size": {"type": "int", "low": 2, "high": 4}}},
            r"scheduler pbt: train\.batch_size cannot change while a trial trains, so no trial could copy another; set",
        ),
        (
            {"parameters": {**RATE, "train.seed": {"type": "int", "low": 0, "high": 4}}},
            r"pbt: train\.seed cannot change",
        ),
        (
            {"scheduler": {**PBT, "perturb_every_steps": 15}},
            r"perturb_every_steps=15, must be a multiple of .*=10 and less",
        ),
        (
            {"scheduler": {**PBT, "perturb_every_steps": 90}},
            r"perturb_every_steps=90, must be a multiple of .* 90 steps",
        ),
        ({"scheduler": {**PBT, "factors": [1.1, 1.2]}}, r"scheduler\.pbt\.factors=\[1\.1, 1\.2\]: must be one between"),
        ({"scheduler": {**PBT, "quantile": 0.6}}, r"scheduler\.pbt\.quantile=0\.6"),
        (
            {"overrides": {"train.changes": [{"step": 5, "overrides": {"train.beta1": 0.8}}]}},
            r"scheduler pbt: train\.changes is what the scheduler searches; remove it",
        ),
        ({"trials": 1}, r"scheduler pbt with 1 trials, must be 2 or more"),
    ],
)
def test_a_population_that_cannot_work_is_refused(run_pbt, home, changes, message):
    with pytest.raises(UsageError, match=message):
        run_pbt(changes)
    assert not (home / "workspace" / "studies").exists()
