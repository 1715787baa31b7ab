"""Each sampler behind the bridge: what it proposes, and that a resumed study proposes the same."""

import importlib.util
import sys
import warnings

import pytest

from podium.core.errors import UsageError
from podium.core.paths import study_dir
from podium.core.states import State
from tests.tuning.conftest import result
from tests.tuning.search.test_conditional_space import CONDITIONAL, RATE, STEPS
from tuning.bridge.searcher import OptunaBridge
from tuning.protocol import Job
from tuning.search.load import load_space
from tuning.search.samplers.qmc import sobol_point
from tuning.study.create import create
from tuning.study.storage import open_storage
from tuning.study.study import load_study

PACKAGES = {"cmaes": "cmaes", "gp": "torch"}
SAMPLERS = [
    "tpe",
    "random",
    "qmc",
    "nsga2",
    *(name for name, package in PACKAGES.items() if importlib.util.find_spec(package)),
]
OPTIONS = {"tpe": {"n_startup_trials": 4}, "nsga2": {"population_size": 4}}
GRID = {
    "train.learning_rate": {"type": "float", "low": 0.1, "high": 0.3, "step": 0.1},
    "lora.enabled": {"type": "categorical", "choices": [True, False]},
    "lora.rank": {"type": "int", "low": 2, "high": 6, "step": 2, "when": {"lora.enabled": True}},
    "train.warmup_steps": "=10 * train.learning_rate",
}


def proposals(space, n: int, restart: bool = False) -> list[dict]:
    """What the bridge proposes, with a score that grows with the learning rate up to a cliff."""
    study = create(space, None, {})
    bridge = OptunaBridge(study, space, limit=n)
    for number in range(n):
        if restart and number in (1, 5):
            bridge = OptunaBridge(open_storage(study_dir(study.study_name)), space, limit=n)
        config = bridge.suggest(str(number))
        if not isinstance(config, dict):
            break
        job = Job.from_config(config)
        rate = job.config.train.learning_rate
        last = (
            (State.COMPLETE, 1000 * rate) if rate < 0.05 or "step" in str(space.parameters) else (State.DIVERGED, None)
        )
        bridge.on_trial_complete(str(number), result(job.config.train.max_steps, *last))
    return [trial.overrides for trial in load_study(study.study_name).trials]


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_resumed_study_goes_on_as_an_undisturbed_one(write_space, name):
    start = [{"train.optimizer": "sgd"}]
    space = load_space(
        write_space(
            parameters=CONDITIONAL, sampler={"name": name, "seed": 3, **OPTIONS.get(name, {})}, start_with=start
        )
    )
    undisturbed = proposals(space, 9)
    assert undisturbed == proposals(space, 9, restart=True)
    assert len({str(overrides) for overrides in undisturbed}) == 9
    assert undisturbed[1]["train.optimizer"] == "sgd"


@pytest.mark.parametrize("restart", [False, True])
def test_a_grid_is_tried_once_and_then_at_its_end(write_space, restart):
    space = load_space(write_space(parameters=GRID, sampler="grid", baseline=False))
    seen = proposals(space, 100, restart)
    assert len(seen) == 3 * (1 + 3)  # ranks only where there is LoRA
    assert len({str(sorted(overrides.items())) for overrides in seen}) == 12
    assert {overrides["train.learning_rate"] for overrides in seen} == {0.1, 0.2, 0.3}
    assert {overrides.get("lora.rank") for overrides in seen} == {None, 2, 4, 6}


def test_what_a_study_starts_with_comes_before_the_grid(write_space):
    start = [{"train.learning_rate": 0.3, "lora.enabled": False}]
    space = load_space(write_space(parameters=GRID, sampler="grid", start_with=start))
    seen = proposals(space, 100)
    assert seen[0] == {}  # the base config, which is not on the grid
    assert seen[1]["train.learning_rate"] == 0.3
    assert len(seen) == 14


def test_a_sobol_sequence_leaves_no_gap(write_space):
    parameters = {"train.learning_rate": RATE, "train.max_steps": STEPS}
    space = load_space(write_space(parameters=parameters, sampler="qmc", baseline=False))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        points = [sobol_point(space, 1, index) for index in range(16)]
    rates = sorted(point["train.learning_rate"] for point in points)
    # In each of 16 equal parts of the logarithmic range is one.
    assert all(1e-4 * 1000 ** (n / 16) <= rate <= 1e-4 * 1000 ** ((n + 1) / 16) for n, rate in enumerate(rates))
    assert {point["train.max_steps"] for point in points} == {30, 50, 70, 90}
    assert points[5] == sobol_point(space, 1, 5) != sobol_point(space, 2, 5)


def test_places_are_shared_out_evenly(write_space):
    parameters = {
        "train.batch_size": {"type": "int", "low": 1, "high": 4, "log": True},
        "train.beta1": {"type": "float", "low": 0.1, "high": 0.5},
        "train.clip_norm": {"type": "categorical", "choices": [1, 2, 4, 8]},
    }
    space = load_space(write_space(parameters=parameters))
    at = {key: [parameter.at(place) for place in (0.0, 0.5, 0.999999)] for key, parameter in space.parameters.items()}
    assert at["train.batch_size"] == [1, 2, 4]
    assert at["train.beta1"] == pytest.approx([0.1, 0.3, 0.5], abs=1e-5)
    assert at["train.clip_norm"] == [1, 4, 8]


@pytest.mark.parametrize(("name", "extra"), [("cmaes", "samplers"), ("gp", "gp")])
def test_a_sampler_without_its_package_names_the_extra(write_space, monkeypatch, name, extra):
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    with pytest.raises(
        UsageError, match=rf"sampler '{name}' needs the package '\w+'; install it with .*pip install -e '\.\[{extra}\]'"
    ):
        load_space(write_space(sampler=name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampler": "grid"}, "sampler grid: train.learning_rate is 0.0001 to 0.1 (log); give it a step or choices"),
        (
            {"sampler": "grid", "parameters": {"train.seed": {"type": "int", "low": 0, "high": 20000}}},
            "sampler grid: more than 10000 combinations",
        ),
        ({"sampler": "annealing"}, "must be one of tpe, random, qmc, grid, nsga2, cmaes, gp"),
        ({"sampler": {"name": "nsga2", "population_size": 1}}, "population_size=1"),
    ],
)
def test_bad_options_are_one_line(write_space, changes, message):
    with pytest.raises(UsageError) as caught:
        load_space(write_space(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
