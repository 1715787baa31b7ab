"""The clock and the order of events in simulated searches, and their arms, which drive the real bridge."""

import numpy as np
import pytest

from benchmarks.simulation import METRIC, Curve, OptunaAlone, PodiumArm, distributions_of, interval, simulate, space_of

RATE = {"train.learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}}


class Recorder:
    """Proposes 0, 1, 2, ...; stops the trials in `stop` after their first report."""

    def __init__(self, stop: tuple[int, ...] = ()) -> None:
        self.heard: list[str] = []
        self.stop, self.asked = stop, 0

    def ask(self, key: str) -> dict[str, int]:
        self.asked += 1
        self.heard.append(f"ask {key.removeprefix('trial-')}")
        return {"n": self.asked - 1}

    def report(self, key: str, step: int, loss: float | None, last: bool) -> bool:
        number = int(key.removeprefix("trial-"))
        self.heard.append(f"{number} at {step}: {loss}")
        return not last and number not in self.stop


def lasting(seconds: list[float]):
    return lambda params: Curve([(1, 0.5), (2, 0.25)], seconds[params["n"]])


def test_the_next_trial_is_proposed_when_a_worker_is_free() -> None:
    arm = Recorder()
    simulate(arm, lasting([4, 2, 2]), trials=3, workers=2)
    assert arm.heard[:2] == ["ask 0", "ask 1"]
    assert arm.heard.index("ask 2") == arm.heard.index("1 at 2: 0.25") + 1


def test_ahead_are_proposed_before_a_worker_is_free() -> None:
    arm = Recorder()
    outcomes = simulate(arm, lasting([1, 1, 1]), trials=3, workers=1, ahead=1)
    assert arm.heard[:2] == ["ask 0", "ask 1"]
    assert arm.heard.index("ask 2") < arm.heard.index("1 at 1: 0.5")
    assert [outcome.params["n"] for outcome in outcomes] == [0, 1, 2]


def test_outcomes_say_what_was_reached() -> None:
    arm = Recorder(stop=(1,))
    first, second = simulate(arm, lasting([1, 1]), trials=2)
    assert (first.loss, first.steps) == (0.25, 2)
    assert (second.loss, second.steps) == (None, 1)


@pytest.mark.parametrize("kind", ["podium", "alone"])
def test_the_real_parts_are_told_everything(kind: str, home) -> None:  # noqa: ARG001
    import optuna

    space = space_of(RATE, max_steps=10, seed=0)
    alone = OptunaAlone(optuna.samplers.TPESampler(seed=0), distributions_of(space))
    arm = alone if kind == "alone" else PodiumArm(space, trials=5)
    outcomes = simulate(arm, lambda params: Curve([(10, params["train.learning_rate"])]), trials=5, workers=2)
    assert len({outcome.loss for outcome in outcomes}) == 5
    assert all(outcome.loss == outcome.params["train.learning_rate"] for outcome in outcomes)


def test_a_divergence_is_no_outcome_and_is_told_as_infeasible(home) -> None:  # noqa: ARG001
    arm = PodiumArm(space_of(RATE, max_steps=10, seed=0), trials=2)
    outcomes = simulate(arm, lambda _: Curve([(10, 1.0)], diverges=True), trials=2)
    assert [(outcome.loss, outcome.diverged) for outcome in outcomes] == [(None, True)] * 2
    trials = arm._searcher._study.trials
    assert [trial.state.name for trial in trials] == ["PRUNED", "PRUNED"]
    assert all(1.0 in trial.constraints.values() for trial in trials)


def test_an_interval_holds_its_middle_and_narrows_with_seeds() -> None:
    values = np.random.default_rng(1).normal(size=400)
    few = interval(lambda drawn: float(values[:20][drawn].mean()), 20, resamples=200)
    many = interval(lambda drawn: float(values[drawn].mean()), 400, resamples=200)
    assert few[1] < few[0] < few[2]
    assert many[2] - many[1] < few[2] - few[1]


def test_the_metric_is_one_that_spaces_know() -> None:
    assert space_of(RATE, 10, 0).metric == METRIC
