import pytest

from podium.core.errors import UsageError
from podium.core.paths import study_dir
from podium.core.states import State
from tuning.study.files import stop_file
from tuning.study.locks import DriverLock, driver_of
from tuning.study.overview import all_studies, follow, importance, select, stop, study_as_dict
from tuning.study.study import load_study


@pytest.fixture
def study(run_sweep):
    return run_sweep({"trials": 10})


def test_a_study_in_rows_and_frames(study):
    (row,) = all_studies()
    assert row == study_as_dict(study)
    assert (row["study"], row["running"], row["trials"]) == ("small-001", False, 10)
    assert row["best_value"] == study.best().value
    assert row["steps_run"] == sum(trial.step for trial in study.trials)
    assert row["steps_saved"] == study.summary["steps_saved"] > 0

    frame = study.frame()
    assert list(frame.index) == list(range(10))
    complete = frame[frame.state == "complete"]
    assert complete.value.max() == study.best().value
    assert complete["dev/answer_correctness"].equals(complete.value.rename("dev/answer_correctness"))
    assert frame.loc[3, "train.learning_rate"] == study.trial(3).overrides["train.learning_rate"]
    assert frame[frame.state != "complete"].value.isna().all()  # no score where a trial did not end


def test_trials_are_sorted_and_chosen(study):
    best_first = select(study, "value")
    assert best_first[0] == study.best()
    values = [trial.value for trial in best_first if trial.value is not None]
    assert values == sorted(values, reverse=True)
    assert all(trial.value is None for trial in best_first[len(values) :])
    rates = [trial.overrides["train.learning_rate"] for trial in select(study, "train.learning_rate")]
    assert rates == sorted(rates)
    assert {trial.state for trial in select(study, state="pruned")} == {State.PRUNED}
    with pytest.raises(UsageError, match=r"--state 'done', must be one of running, complete"):
        select(study, state="done")
    with pytest.raises(UsageError, match=r"--sort 'loss', must be number, .* metric; .podium show small-001/0. lists"):
        select(study, "loss")


def test_the_learning_rate_is_what_mattered(run_sweep):
    tame = {
        "train.learning_rate": {"type": "float", "low": 1e-4, "high": 4e-2, "log": True},
        "train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1},
    }
    study = run_sweep({"trials": 16, "scheduler": "none", "sampler": "qmc", "parameters": tame})
    shares = importance(study.name)["dev/answer_correctness"]
    assert list(shares) == ["train.learning_rate", "train.weight_decay"]
    assert shares["train.learning_rate"] > 0.7
    assert sum(shares.values()) == pytest.approx(1.0)


def test_too_few_trials_say_nothing_about_importance(run_sweep):
    study = run_sweep({"trials": 1})
    with pytest.raises(UsageError, match="study 'small-001' has 1 different scores of complete trials, must have 2"):
        importance(study.name)


def test_a_sweep_is_stopped_from_outside_and_only_while_it_runs(study):
    with pytest.raises(UsageError, match="no sweep runs study 'small-001', so there is nothing to stop"):
        stop(study.name)
    with pytest.raises(UsageError, match="study 'large' not found"):
        stop("large")
    folder = study_dir(study.name)
    assert driver_of(folder) is None
    with DriverLock(folder):
        assert stop(study.name) == driver_of(folder)
    assert stop_file(folder).read_text() == "requested by podium stop"


def test_following_tells_what_has_ended_and_what_happens_until_the_sweep_ends(run_sweep):
    study = run_sweep({"trials": 3})
    folder = study_dir(study.name)
    lock = DriverLock(folder)
    lock.__enter__()

    def pause() -> None:  # meanwhile
        lock.__exit__()
        run_sweep({"trials": 5}, resume=study.name)

    told = [(event.kind, event.trial.number) for event in follow(study.name, pause)]
    assert told == [(kind, number) for number in range(5) for kind in ("started", "finished")]
    assert len(load_study(study.name).trials) == 5
