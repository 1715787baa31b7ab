import pytest

from podium.core.errors import UsageError
from podium.core.files import read_jsonl
from podium.core.states import State
from tests.tuning.conftest import fates, result
from tuning.protocol import Job
from tuning.search.load import load_space
from tuning.search.schedulers.asha import AshaScheduler
from tuning.search.schedulers.median import MedianScheduler
from tuning.search.schedulers.none import NoScheduler
from tuning.search.schedulers.replay import SchedulerTrial, bracket_of, preload


@pytest.fixture
def asha(space):
    return space.scheduler.build(space.metric, space.mode, space.report_every_steps, space.max_steps)


@pytest.fixture
def trial(space):
    def make(number: int, protected: bool = False, **reports: float) -> SchedulerTrial:
        known = {int(step.removeprefix("at_")): value for step, value in reports.items()}
        job = Job(
            number=number,
            config=space.base_config,
            report_every_steps=10,
            metric=space.metric,
            protected=protected,
            reports=known,
        )
        return SchedulerTrial(str(number), job.to_config())

    return make


def report(asha, trial, step, score):
    return asha.on_trial_result(None, trial, result(step, State.RUNNING, score))


def test_asha_stops_the_worse_two_thirds_at_a_rung(asha, trial):
    decisions = []
    for number, score in enumerate((50.0, 10.0, 60.0, 20.0, 70.0)):
        asha.on_trial_add(None, trial(number))
        decisions.append(report(asha, trial(number), 10, score))
    assert decisions == ["CONTINUE", "STOP", "CONTINUE", "STOP", "CONTINUE"]


def test_a_protected_trial_goes_on_and_still_counts_at_the_rung(asha, trial):
    for number, score in ((0, 50.0), (1, 60.0)):
        asha.on_trial_add(None, trial(number))
        report(asha, trial(number), 10, score)
    worst = trial(2, protected=True)
    asha.on_trial_add(None, worst)
    assert report(asha, worst, 10, 1.0) == "CONTINUE"
    assert set(asha._brackets[0]._rungs[-1][1]) == {"0", "1", "2"}


def test_reports_of_an_earlier_sweep_stand_at_their_rungs(asha, trial):
    earlier = [trial(0, at_10=50.0, at_20=55.0, at_30=60.0), trial(1, at_10=60.0)]
    preload(asha, [Job.from_config(stand_in.config) for stand_in in earlier])
    rungs = {milestone: sorted(recorded.values()) for milestone, recorded in asha._brackets[0]._rungs}
    assert rungs == {10.0: [50.0, 60.0], 30.0: [60.0], 90.0: []}
    asha.on_trial_add(None, trial(2))
    assert report(asha, trial(2), 10, 40.0) == "STOP"


def test_an_adopted_trial_keeps_its_place(asha, trial):
    adopted = trial(0, at_10=50.0)
    asha.on_trial_add(None, adopted)
    asha.on_trial_add(None, trial(1))
    assert report(asha, trial(1), 10, 40.0) == "STOP"
    assert report(asha, adopted, 20, 1.0) == "CONTINUE"  # past the first rung, before the second


def test_lower_is_better_where_the_metric_says_so(trial):
    asha = AshaScheduler(grace_period=10).build("dev/answer_correctness", "min", 10, 90)
    for number, loss in ((0, 1.0), (1, 2.0)):
        asha.on_trial_add(None, trial(number))
        decision = report(asha, trial(number), 10, loss)
    assert decision == "STOP"


def test_without_a_scheduler_every_trial_goes_on(trial):
    fifo = NoScheduler().build("dev/answer_correctness", "max", 10, 90)
    fifo.on_trial_add(None, trial(0))
    assert report(fifo, trial(0), 10, -1e9) == "CONTINUE"


def test_most_trials_are_in_the_first_bracket_and_always_in_the_same():
    brackets = [bracket_of(number, 3) for number in range(27)]
    assert [brackets.count(n) for n in range(3)] == [18, 6, 3]
    assert {bracket_of(number, 1) for number in range(9)} == {0}


@pytest.mark.slow
def test_hyperband_saves_steps_and_gives_some_trials_longer(run_sweep):
    """On the analytic curves, where none diverges: ASHA saves most, hyperband some, and all find the same best."""
    tame = {"train.learning_rate": {"type": "float", "low": 1e-4, "high": 4e-2, "log": True}}
    common = {"parameters": tame, "trials": 18, "sampler": {"name": "qmc", "seed": 2}}
    full = run_sweep({**common, "scheduler": "none"})
    asha = run_sweep({**common, "scheduler": "asha"})
    hyperband = run_sweep({**common, "scheduler": {"name": "hyperband", "brackets": 2}})
    saved = [study.summary["steps_saved"] for study in (full, hyperband, asha)]
    assert saved[0] == 0
    assert full.summary["steps_run"] == 18 * 90
    assert 0.25 * 18 * 90 < saved[1] < saved[2]
    assert hyperband.best().overrides == full.best().overrides
    later = [trial for trial in hyperband.trials if bracket_of(trial.number, 2) == 1]
    assert min(trial.step for trial in later) == 30  # their first rung
    assert min(trial.step for trial in hyperband.trials) == 10


def test_the_median_rule_stops_who_is_below_it_and_goes_on_with_the_protected(trial):
    median = MedianScheduler(min_trials=2).build("dev/answer_correctness", "max", 10, 90)
    for number, score in ((0, 50.0), (1, 60.0)):
        median.on_trial_add(None, trial(number))
        assert report(median, trial(number), 10, score) == "CONTINUE"
    preload(median, [Job.from_config(trial(2, at_10=70.0).config)])
    poor, protected = trial(3), trial(4, protected=True)
    for one, decision in ((poor, "STOP"), (protected, "CONTINUE")):
        median.on_trial_add(None, one)
        assert report(median, one, 10, 40.0) == decision
    assert report(median, protected, 20, 41.0) == "CONTINUE"


@pytest.mark.parametrize("name", ["asha", "hyperband", "median", "none"])
def test_a_diverged_trial_ends_at_its_first_report(run_sweep, name):
    study = run_sweep({"scheduler": name, "trials": 8, "sampler": {"name": "qmc", "seed": 1}})
    diverged = [trial for trial in study.trials if trial.state is State.DIVERGED]
    assert diverged
    calls = [value for _, value in read_jsonl(study.dir / "calls.jsonl")]
    for trial in diverged:
        assert (trial.value, trial.step, trial.reports) == (None, 5, {})
        assert [call["call"] for call in calls if call["trial"] == trial.number] == ["attach", "detach"]
    assert fates(study)[0][0] is State.COMPLETE  # the baseline, whatever its score


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        ({"name": "hyperband", "brackets": 3}, "scheduler.brackets=3, must be <= 2, the rungs below 90 steps"),
        ({"name": "median", "grace_period": 91}, "scheduler.grace_period=91, must be from report_every_steps=10"),
        ({"name": "hyperband", "reduction_factor": 1}, "reduction_factor=1"),
        ("sha", "must be one of asha, hyperband, median, pbt, none"),
    ],
)
def test_bad_options_are_one_line(write_space, scheduler, message):
    with pytest.raises(UsageError) as caught:
        load_space(write_space(scheduler=scheduler))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
