"""Parameters that are there under a condition, fixed, computed, ordered; configurations to start with; constraints."""

import optuna
import pytest
import yaml

from podium.core.errors import UsageError
from podium.core.records import Report
from podium.core.states import State
from tests.tuning.conftest import fates
from tuning.bridge.searcher import OptunaBridge
from tuning.protocol import Job, to_result
from tuning.search.load import load_space, parse_space
from tuning.study.create import create
from tuning.study.study import load_study

RATE = {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}
STEPS = {"type": "int", "low": 30, "high": 90, "step": 20}
CONDITIONAL = {
    "train.learning_rate": RATE,
    "train.optimizer": {"type": "categorical", "choices": ["adamw", "sgd", "muon"]},
    "train.momentum": {"type": "float", "low": 0.1, "high": 0.9, "when": {"train.optimizer": ["sgd", "muon"]}},
    "train.beta1": {"value": 0.8, "when": {"train.optimizer": "adamw"}},
    "lora.enabled": {"type": "categorical", "choices": [True, False]},
    "lora.rank": {"type": "categorical", "choices": [2, 4, 16], "ordered": True, "when": {"lora.enabled": True}},
    "lora.alpha": {"type": "float", "low": 1, "high": 64, "when": {"lora.enabled": True, "lora.rank": [4, 16]}},
    "train.max_steps": STEPS,
    "train.warmup_steps": "=0.1 * train.max_steps",
    "train.label_smoothing": 0.05,
}


@pytest.fixture
def conditional(write_space):
    return load_space(write_space(parameters=CONDITIONAL, baseline=False))


def draws(space, n):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [space.suggest(study.ask()) for _ in range(n)]


def test_what_is_drawn_depends_on_what_was_drawn(conditional):
    seen = draws(conditional, 60)
    for drawn in seen:
        assert ("train.momentum" in drawn) == (drawn["train.optimizer"] in ("sgd", "muon"))
        assert ("train.beta1" in drawn) == (drawn["train.optimizer"] == "adamw")
        assert ("lora.rank" in drawn) == drawn["lora.enabled"]
        assert ("lora.alpha" in drawn) == (drawn.get("lora.rank") in (4, 16))  # two levels down
        assert drawn["train.warmup_steps"] == drawn["train.max_steps"] // 10
        assert drawn["train.label_smoothing"] == 0.05
        assert conditional.config(drawn).train.label_smoothing == 0.05
    assert {drawn.get("lora.rank") for drawn in seen} == {None, 2, 4, 16}
    assert {drawn["train.max_steps"] for drawn in seen} == {30, 50, 70, 90}


def test_stored_and_read_again_it_is_the_same(conditional):
    again = parse_space(yaml.safe_load(conditional.to_yaml()), "stored")
    assert again == conditional
    assert draws(again, 5) == draws(conditional, 5)


def test_it_reads_well(conditional):
    shown = {key: str(parameter) for key, parameter in conditional.parameters.items()}
    assert shown["lora.alpha"] == "1 to 64, when lora.enabled is True and lora.rank is 4 or 16"
    assert shown["lora.rank"] == "one of 2, 4, 16 (ordered), when lora.enabled is True"
    assert shown["train.max_steps"] == "30 to 90 by 20"
    assert shown["train.warmup_steps"] == "=0.1 * train.max_steps"
    assert shown["train.beta1"] == "0.8, when train.optimizer is adamw"


def test_an_ordered_choice_is_a_scale_to_the_sampler(conditional):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask() for _ in range(8)]
    ranks = [conditional.suggest(trial).get("lora.rank") for trial in trials]
    places = [trial.params.get("lora.rank") for trial in trials]
    assert ranks == [None if place is None else (2, 4, 16)[place] for place in places]
    assert any(places)


def test_the_baseline_holds_what_is_there_in_it(write_space):
    parameters = {key: CONDITIONAL[key] for key in ("train.optimizer", "train.momentum")}
    space = load_space(write_space(parameters=parameters))
    assert space.baseline_params() == {"train.optimizer": "adamw"}  # so no momentum


@pytest.mark.parametrize(("warmup", "inside"), [("=train.max_steps // 10", True), ("=5", False), (9, True), (5, False)])
def test_the_baseline_lies_outside_where_a_value_is_not_its_own(write_space, warmup, inside):
    parameters = {"train.learning_rate": RATE, "train.warmup_steps": warmup}
    base = {"train.learning_rate": 1e-3}
    space = load_space(write_space(parameters=parameters))
    nine = space.model_copy(update={"base_config": space.base_config.with_overrides({"train.warmup_steps": 9})})
    assert nine.baseline_params() == (base if inside else None)


def test_a_study_starts_with_what_it_was_told_to(write_space):
    first = {"train.learning_rate": 0.02, "lora.enabled": True, "lora.rank": 16}
    space = load_space(write_space(parameters=CONDITIONAL, start_with=[first, {"train.optimizer": "sgd"}]))
    bridge = OptunaBridge(create(space, None, {}), space, limit=3)
    jobs = [Job.from_config(bridge.suggest(str(number))) for number in range(3)]
    assert jobs[0].protected and jobs[0].config == space.base_config
    assert (jobs[1].config.train.learning_rate, jobs[1].config.lora.rank) == (0.02, 16)
    assert jobs[2].config.train.optimizer == "sgd"


def test_an_expression_without_a_value_makes_its_trial_infeasible(write_space):
    smoothing = {"type": "float", "low": 0.0, "high": 0.5, "step": 0.5}
    parameters = {"train.label_smoothing": smoothing, "train.weight_decay": "=0.01 / train.label_smoothing"}
    space = load_space(write_space(parameters=parameters, baseline=False, sampler="random"))
    study = create(space, None, {})
    bridge = OptunaBridge(study, space, limit=8)
    while isinstance(bridge.suggest("t"), dict):
        pass
    trials = load_study(study.study_name).trials
    refused = [trial for trial in trials if trial.state is State.INFEASIBLE]
    assert 0 < len(refused) < 8
    assert "has no value here: float division by zero" in refused[0].reason
    assert {trial.overrides["train.weight_decay"] for trial in trials if trial not in refused} == {0.02}


LIMITS = ["peak_memory_gb <= 16", "dev/answer_correctness >= 10", "train.max_steps * train.batch_size <= 600"]
STEPS_AND_RATE = {"train.learning_rate": RATE, "train.max_steps": STEPS}


def reported(step, state, score, **metrics):
    values = {"dev/answer_correctness": score, **metrics}
    return to_result(Report(step=step, state=state, metrics=values, elapsed_s=60.0), "dev/answer_correctness")


def test_constraints_reach_optuna_and_end_in_a_state(write_space):
    space = load_space(
        write_space(parameters=STEPS_AND_RATE, constraints=LIMITS, baseline=False, sampler="random", trials=30)
    )
    study = create(space, None, {})
    bridge = OptunaBridge(study, space, limit=30)
    memory = iter([17.0, 15.0, None, 15.0])
    jobs = []
    for name in "abcd":
        jobs.append(job := Job.from_config(bridge.suggest(name)))
        peak = next(memory)
        steps = job.config.train.max_steps
        metrics = {} if peak is None else {"peak_memory_gb": peak}
        early = name == "d"
        last = reported(10 if early else steps, State.RUNNING if early else State.COMPLETE, 50.0, **metrics)
        bridge.on_trial_complete(name, last)
    trials = load_study(study.study_name).trials
    assert all(job.config.train.max_steps * job.config.train.batch_size <= 600 for job in jobs)
    known = {trial.number: trial for trial in trials if trial.step}
    over, good, silent, early = known.values()
    assert (over.state, over.value) == (State.INFEASIBLE, None)
    assert over.reason == "constraint 'peak_memory_gb <= 16' is broken by 1"
    assert (good.state, early.state) == (State.COMPLETE, State.PRUNED)
    assert silent.state is State.FAILED
    assert silent.reason == "it reported too little to check the constraint 'peak_memory_gb <= 16'"
    told = study.trials[over.number]
    assert (told.constraints["state"], told.constraints["peak_memory_gb <= 16"]) == (1.0, 1.0)
    assert study.trials[good.number].constraints["dev/answer_correctness >= 10"] == -40.0
    refused = [trial for trial in trials if not trial.step]
    assert refused and {trial.state for trial in refused} == {State.INFEASIBLE}
    assert "constraint 'train.max_steps * train.batch_size <= 600' is broken by" in refused[0].reason


def test_the_projected_time_is_that_of_all_steps(write_space):
    space = load_space(write_space(constraints=["projected_submit_s <= 500"], scheduler="none"))
    study = create(space, None, {})
    bridge = OptunaBridge(study, space, limit=1)
    bridge.suggest("t")
    bridge.on_trial_complete("t", reported(10, State.RUNNING, 50.0))  # 60 s for 10 of 90 steps
    assert study.trials[0].constraints["projected_submit_s <= 500"] == pytest.approx(40.0)
    assert fates(load_study(study.study_name))[0][0] is State.PRUNED


RATE_1 = {"train.learning_rate": RATE}
RANK = {"type": "int", "low": 1, "high": 8}
NOT_THERE = "lora.rank: when lora.enabled is 3, must be one of its values: one of True, False"
ENABLED = {"type": "categorical", "choices": [True, False]}
NEVER = {"lora.enabled": ENABLED, "lora.rank": {**RANK, "when": {"lora.enabled": False}}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": {"train.label_smoothing": 0.1}}, "all are fixed or computed; give one of them a range"),
        ({"parameters": {"lora.enabled": ENABLED, "lora.rank": {"value": 4, "when": {"lora.enabled": 3}}}}, NOT_THERE),
        ({"parameters": {"lora.rank": {**RANK, "when": {"lora.enabled": True}}}}, "must be another parameter of this"),
        ({"parameters": {"lora.enabled": ENABLED, "lora.rank": RANK}}, "has no effect if lora.enabled is not"),
        ({"parameters": NEVER}, "no effect while lora.enabled is not"),
        ({"parameters": {"train.momentum": RATE}}, "no effect while train.optimizer is not 'sgd' or 'muon'"),
        ({"parameters": {**RATE_1, "train.warmup_steps": "=open('x')"}}, "is not plain arithmetic"),
        ({"parameters": {**RATE_1, "train.warmup_steps": "=0.1 * train.max_step"}}, "did you mean 'train.max_steps'"),
        ({"parameters": {**RATE_1, "train.warmup_steps": "=model.source"}}, "can be 'tiny', must be a number"),
        ({"parameters": {**RATE_1, "train.beta1": "=train.beta2", "train.beta2": "=train.beta1"}}, "depend on each"),
        ({"parameters": {**RATE_1, "train.max_steps": "=2 * train.batch_size"}}, "train.max_steps cannot be computed"),
        ({"parameters": {**RATE_1, "train.schedule": "=1"}}, "train.schedule is not a number"),
        ({"parameters": {**RATE_1, "train.batch_size": "8"}}, "'8' would be read as 8"),
        ({"parameters": {"train.learning_rate": {**RATE, "ordered": True}}}, "ordered: true with type float"),
        ({"start_with": [{"train.learning_rate": 0.5}]}, "train.learning_rate=0.5, must be in 0.0001 to 0.1 (log)"),
        ({"start_with": [{"train.learning_rate": "fast"}]}, "start_with[0]: train.learning_rate='fast'"),
        ({"start_with": [{"train.beta1": 0.5}]}, "start_with[0]: train.beta1 is not drawn in this space"),
        ({"start_with": [{"lora.rank": 4}], "parameters": CONDITIONAL}, "lora.rank is inactive for these values"),
        ({"constraints": ["peak_memory_gb < 16"]}, "must be one comparison with <= or >="),
        ({"constraints": ["peak_memory <= 16"]}, "unknown config key 'peak_memory'"),
        ({"constraints": ["1 <= 2"]}, "names neither a config key nor a metric"),
        ({"constraints": ["peak_memory_gb <= 16", "peak_memory_gb >= 20"]}, "contradict each other"),
        ({"constraints": ["train.learning_rate >= 0.2"]}, "no train.learning_rate satisfies both"),
    ],
)  # fmt: skip
def test_a_bad_space_is_one_line_that_names_the_fault(write_space, changes, message):
    with pytest.raises(UsageError) as caught:
        load_space(write_space(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "space.yaml" in str(caught.value)
