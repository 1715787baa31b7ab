import math
import os

import pytest
import yaml

from podium.core.errors import UsageError
from podium.core.files import read_jsonl
from podium.core.paths import study_dir
from podium.core.states import State
from tests.tuning.analytic import AnalyticWorker
from tests.tuning.conftest import fates
from tuning.study import study as study_module
from tuning.study.locks import DriverLock
from tuning.study.study import load_study
from tuning.sweep import resume, sweep


def calls(study) -> list[dict]:
    return [value for _, value in read_jsonl(study.dir / "calls.jsonl")]


def test_a_sweep_finds_a_good_trial_and_stops_poor_ones(run_sweep):
    study = run_sweep()
    assert study.name == "small-001"
    assert [trial.number for trial in study.trials] == list(range(12))
    assert {trial.state for trial in study.trials} == {State.COMPLETE, State.PRUNED, State.DIVERGED}
    best, baseline = study.best(), study.trial(0)
    assert baseline.baseline and baseline.state is State.COMPLETE and baseline.step == 90
    assert best.value > baseline.value + 50
    assert best.value == pytest.approx(AnalyticWorker.score(best.config, 90))
    assert study.summary["states"] == {"complete": 5, "diverged": 1, "pruned": 6}
    saved = sum(90 - trial.step for trial in study.trials)
    assert (study.summary["steps_saved"], study.summary["stopped"]) == (saved, None)
    assert 0 < study.summary["busy_share"] <= 1


def test_names_are_unique_and_can_be_chosen(run_sweep):
    assert [run_sweep({"trials": 1}).name for _ in range(2)] == ["small-001", "small-002"]
    assert run_sweep({"trials": 1}, name="mine").name == "mine"
    with pytest.raises(UsageError, match="study 'mine' already exists; choose another name, or resume it"):
        run_sweep({"trials": 1}, name="mine")


def test_a_crash_is_a_state_with_its_reason_and_traceback(run_sweep):
    study = run_sweep({"trials": 4, "scheduler": "none", "sampler": "random"}, ask=("crash-2",))
    assert study.trial(2).state is State.FAILED
    assert study.trial(2).reason == "RuntimeError: trial 2 was requested to crash"
    assert "requested to crash" in (study.trial(2).dir / "traceback.txt").read_text()
    assert [trial.state for trial in study.trials] == [State.COMPLETE, State.DIVERGED, State.FAILED, State.COMPLETE]


def test_a_sweep_whose_first_trials_all_crash_is_given_up(run_sweep):
    tame = {"train.learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2}}
    study = run_sweep({"scheduler": "none", "parameters": tame}, ask=("crash-0", "crash-1", "crash-2"))
    assert len(study.trials) == 3
    assert study.summary["stopped"] == "the first 3 trials failed: RuntimeError: trial 2 was requested to crash"


def test_a_resumed_study_ends_as_an_undisturbed_one(run_sweep):
    undisturbed = run_sweep(name="undisturbed")
    stopped = run_sweep(name="stopped", ask=("stop-7",))
    assert stopped.summary["stopped"] == "a test asked for it"
    assert stopped.trial(7).state is State.STOPPED
    assert len(stopped.trials) == 8
    resumed = run_sweep(resume="stopped")
    assert fates(resumed) == fates(undisturbed)
    assert [trial.overrides for trial in resumed.trials] == [trial.overrides for trial in undisturbed.trials]
    assert [trial.reports for trial in resumed.trials] == [trial.reports for trial in undisturbed.trials]
    attached = [(call["trial"], call["step"]) for call in calls(resumed) if call["call"] == "attach"]
    assert attached.count((7, 0)) == 1 and (7, 10) in attached  # it went on from its checkpoint


def test_a_finished_study_can_be_given_more_trials_and_needs_no_space(run_sweep):
    run_sweep({"trials": 3})
    assert len(resume("small-001", worker=AnalyticWorker, backend="inline").trials) == 3
    assert len(resume("small-001", trials=5, worker=AnalyticWorker, backend="inline").trials) == 5


def test_resuming_with_another_space_or_other_data_names_the_difference(run_sweep, monkeypatch):
    run_sweep({"trials": 1})
    with pytest.raises(UsageError) as caught:
        run_sweep({"trials": 2, "sampler": {"name": "tpe", "seed": 9}}, resume="small-001")
    assert "sampler.seed: 1 -> 9" in str(caught.value)
    monkeypatch.setattr(AnalyticWorker, "check", staticmethod(lambda _: {"evalset_sha256": "f" * 64}))
    with pytest.raises(UsageError, match=f"evalset_sha256: {'e' * 64} -> {'f' * 64}"):
        run_sweep({"trials": 2}, resume="small-001")


def test_stop_and_time_budget_end_a_sweep_before_it_begins(run_sweep):
    study = run_sweep(stop=lambda: True)
    assert (study.trials, study.summary["stopped"]) == ([], "interrupted")
    study = run_sweep(time_budget_s=1e-9)
    assert (study.trials, study.summary["stopped"]) == ([], "the time budget of 1e-09 s is used up")
    assert len(run_sweep(resume=study.name, trials=2).trials) == 2


def test_a_second_driver_is_refused(run_sweep):
    run_sweep({"trials": 1})
    held = rf"'small-001' is already being run by process {os.getpid()}; wait for it"
    with DriverLock(study_dir("small-001")), pytest.raises(UsageError, match=held):
        run_sweep({"trials": 2}, resume="small-001")
    assert len(run_sweep({"trials": 2}, resume="small-001").trials) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "slurm"}, "backend 'slurm', must be one of auto, ray, inline"),
        ({"name": "../up"}, r"study name '\.\./up'"),
        ({"tracking_uri": "file:///tmp/mlruns"}, "tracking URI 'file:///tmp/mlruns': must begin with one of sqlite"),
        ({"trials": 0}, "trials=0, must be a whole number >= 1"),
        ({"trials": 2.5}, "trials=2.5, must be a whole number >= 1"),
        ({"patience": 0}, "patience=0, must be a whole number >= 1"),
        ({"time_budget_s": 0}, "time_budget_s=0, must be a number of seconds > 0"),
        ({"quota_s": -1.0}, r"quota_s=-1\.0, must be a number of seconds > 0"),
        ({"target": math.nan}, "target=nan, must be a finite number"),
        ({"workers": 0}, "workers: workers=0, must be auto or >= 1"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(write_space, options, message):
    space = write_space()
    with pytest.raises(UsageError, match=message):
        sweep(space, **{"worker": AnalyticWorker, "backend": "inline", **options})
    assert not (space.parent / "workspace").exists()


@pytest.mark.parametrize("options", [{"trials": 0}, {"patience": 0}, {"time_budget_s": 0}, {"quota_s": 0}])
def test_resume_refuses_the_same_options(run_sweep, options):
    study = run_sweep({"trials": 1})
    ((name, value),) = options.items()
    with pytest.raises(UsageError, match=f"^{name}={value}, must be "):
        resume(study.name, worker=AnalyticWorker, backend="inline", **options)
    assert load_study(study.name) == study


def test_a_study_that_does_not_exist_is_not_resumed(home):
    with pytest.raises(UsageError, match=r"study 'absent' not found in .*; known: none yet"):
        resume("absent")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("option", ["name", "warm_start", "trails"])
def test_options_that_a_resumed_study_cannot_have_are_refused(run_sweep, option):
    study = run_sweep({"trials": 1})
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{option}'"):
        resume(study.name, worker=AnalyticWorker, **{option: "two"})


def test_a_sweep_reads_its_study_before_and_after_the_trials_only(run_sweep, monkeypatch):
    seen = []
    read = study_module.load_study_space
    monkeypatch.setattr(study_module, "load_study_space", lambda folder: seen.append(folder) or read(folder))
    study = run_sweep({"trials": 2})
    assert seen == [study.dir] * 2


def test_a_study_is_read_as_it_was_written(run_sweep):
    study = run_sweep({"trials": 2})
    again = load_study(study.name)
    assert again == study
    assert yaml.safe_load((study.dir / "space.yaml").read_text())["base_config"]["train"]["max_steps"] == 90
    with pytest.raises(UsageError, match=r"study 'small-002' not found in .*; known: small-001"):
        load_study("small-002")
    with pytest.raises(UsageError, match="study 'small-001' has no trial 2; it has trials 0 to 1"):
        study.trial(2)


TAME = {
    "parameters": {"train.learning_rate": {"type": "float", "low": 1e-4, "high": 4e-2, "log": True}},
    "sampler": {"name": "qmc", "seed": 2},
}


def test_a_sweep_ends_at_its_target_and_goes_on_with_a_higher_one(run_sweep):
    study = run_sweep({**TAME, "stop": {"target": 80.0}})
    reached = study.best()
    assert len(study.trials) == reached.number + 1 < 12
    assert study.summary["stopped"] == f"trial {reached.number} has {reached.value:g}, and the target was 80"
    assert len(run_sweep({**TAME, "stop": {"target": 80.0}}, resume=study.name).trials) == len(study.trials)
    assert len(run_sweep({**TAME, "stop": {"target": 80.0}}, resume=study.name, target=101.0).trials) == 12


def test_a_sweep_ends_when_nothing_was_better_for_a_while(run_sweep):
    study = run_sweep({**TAME, "trials": 40}, patience=5)
    best = study.best().number
    assert len(study.trials) == best + 6 < 40
    assert study.summary["stopped"] == f"5 trials after trial {best} were no better, and the patience was 5"


def test_a_target_of_what_is_minimised_is_reached_from_above(run_sweep):
    changes = {**TAME, "metric": "train/loss", "scheduler": "none"}
    study = run_sweep({**changes, "stop": {"target": 0.02}})
    assert study.trials[0].value == pytest.approx(1 / 90)
    assert study.summary["stopped"].startswith("trial 0 has 0.0111")
    assert run_sweep({**changes, "trials": 3}, target=0.01).summary["stopped"] is None


class SaysWhy(AnalyticWorker):
    """As the real worker does."""

    def advance(self, slot, until_step):
        report = super().advance(slot, until_step)
        return report.model_copy(update={"reason": "asked"}) if report.state is State.STOPPED else report


def test_a_trial_that_was_stopped_and_then_finishes_has_no_reason_to_stop(run_sweep):
    rate = {"train.learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2}}
    asked = {"trials": 2, "scheduler": "none", "parameters": rate}
    stopped = run_sweep(asked, ask=("stop-1",), worker=SaysWhy)
    assert (stopped.trial(1).state, stopped.trial(1).reason) == (State.STOPPED, "asked")
    finished = run_sweep(asked, resume=stopped.name, worker=SaysWhy)
    assert (finished.trial(1).state, finished.trial(1).reason) == (State.COMPLETE, None)
