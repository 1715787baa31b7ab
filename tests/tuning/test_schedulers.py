import pytest

from podium.core.states import State
from tests.tuning.conftest import result
from tuning.messages import Job
from tuning.schedulers import AshaScheduler, NoScheduler, TrialStandIn, preload


@pytest.fixture
def asha(space):
    return space.scheduler.build(space.metric, space.mode, space.report_every_steps, space.max_steps)


@pytest.fixture
def trial(space):
    def make(number: int, protected: bool = False, **reports: float) -> TrialStandIn:
        known = {int(step.removeprefix("at_")): value for step, value in reports.items()}
        job = Job(
            number=number,
            config=space.base_config,
            report_every_steps=10,
            metric=space.metric,
            protected=protected,
            reports=known,
        )
        return TrialStandIn(str(number), job.to_config())

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
