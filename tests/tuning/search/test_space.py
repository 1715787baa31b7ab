import textwrap

import optuna
import pytest

from podium.core.errors import UsageError
from podium.core.records import ReasoningTrace
from podium.core.yaml_text import parse_yaml
from trainer.data.trainsets import write_trainset
from tuning.preview import preview
from tuning.search.load import load_space
from tuning.search.samplers import sampler_for
from tuning.search.samplers.base import seed_for
from tuning.search.samplers.tpe import TpeSampler


def one(**parameter):
    return {"train.learning_rate": parameter}


def test_a_space_draws_values_that_make_a_config(space):
    trial = optuna.create_study(sampler=sampler_for(space.sampler, space, 1, 0)).ask()
    overrides = space.suggest(trial)
    config = space.config(overrides)
    assert 1e-4 <= config.train.learning_rate <= 1e-1
    assert config.train.weight_decay == overrides["train.weight_decay"]
    assert config.train.max_steps == 90  # from the base config


def test_base_overrides_and_direction(write_space):
    space = load_space(write_space(overrides={"train.max_steps": 30}, metric="train/loss", scheduler="none"))
    assert space.base_config.train.max_steps == 30
    assert (space.direction, space.mode) == ("minimize", "min")
    assert space.max_steps == 30


def test_the_maximum_resource_is_the_most_steps_a_trial_can_have(write_space):
    steps = {"train.max_steps": {"type": "int", "low": 20, "high": 200}}
    assert load_space(write_space(parameters=steps)).max_steps == 200


def test_without_a_number_a_trial_is_scored_six_times(write_space):
    steps = {"train.max_steps": {"type": "int", "low": 20, "high": 200}}
    plain = {"scheduler": "none", "report_every_steps": None}
    assert load_space(write_space(**plain, parameters=steps)).report_every_steps == 33
    assert load_space(write_space(**plain, overrides={"train.max_steps": 4})).report_every_steps == 1
    assert load_space(write_space(**plain)).report_every_steps == 15  # of 90, the base config's


def test_a_size_may_be_searched_beside_auto_and_computed(write_space):
    sizes = {"data.max_seq_len": ["auto", 128], "generate.max_new_tokens": "=2 * train.batch_size"}
    space = load_space(write_space(parameters={**sizes, "train.batch_size": [8, 16]}))
    drawn = [space.config(overrides) for overrides, refusal in preview(space, 12) if not refusal]
    assert {config.data.max_seq_len for config in drawn[1:]} == {"auto", 128}
    assert {(c.train.batch_size, c.generate.max_new_tokens) for c in drawn[1:]} == {(8, 16), (16, 32)}


def test_epochs_become_steps_when_the_space_is_loaded(home, write_space):
    traces = [ReasoningTrace(prompt=f"{n}+1=?", final_answer=str(n + 1)) for n in range(50)]
    write_trainset(home / "trainsets" / "few", traces, name="few", recipe="test", recipe_version="1", seed=None)
    epochs = {"data.trainset": "few", "train.max_steps": None, "train.epochs": 3, "train.batch_size": 4}
    plain = {"scheduler": "none", "report_every_steps": None}
    space = load_space(write_space(**plain, overrides=epochs))
    assert (space.max_steps, space.base_config.train.epochs, space.report_every_steps) == (38, None, 6)
    for key in ("train.batch_size", "data.packing", "train.max_steps"):
        values = [True, False] if key == "data.packing" else [4, 8]
        refused = {name: value for name, value in epochs.items() if name != key}
        with pytest.raises(UsageError, match=rf"train\.epochs=3 with {key} among the parameters"):
            load_space(write_space(**plain, overrides=refused | {"train.max_steps": None}, parameters={key: values}))
    with pytest.raises(UsageError, match=r"train\.epochs cannot be searched; search train\.max_steps"):
        load_space(write_space(parameters={"train.epochs": [1, 2]}))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"type": "uniform", "min": 0.1, "max": 0.2}, {"type": "float", "low": 0.1, "high": 0.2}),
        ({"type": "loguniform", "min": 0.1, "max": 0.2}, {"type": "float", "low": 0.1, "high": 0.2, "log": True}),
        ({"type": "choice", "values": [0.1, 0.2]}, {"type": "categorical", "choices": [0.1, 0.2]}),
    ],
)
def test_other_spellings_are_read(write_space, theirs, ours):
    spaces = [load_space(write_space(parameters=one(**parameter))) for parameter in (theirs, ours)]
    assert spaces[0] == spaces[1]


def test_randint_includes_both_ends(write_space):
    parameter = load_space(write_space(parameters={"train.batch_size": {"type": "randint", "min": 1, "max": 2}}))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert {parameter.suggest(study.ask())["train.batch_size"] for _ in range(20)} == {1, 2}


def test_lists_can_be_choices(write_space):
    targets = {"lora.targets": {"type": "categorical", "choices": [["q", "v"], ["q"]]}}
    space = load_space(write_space(overrides={"lora.enabled": True}, parameters=targets))
    drawn = space.suggest(optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask())
    assert drawn["lora.targets"] in (["q", "v"], ["q"])
    assert space.config(drawn).lora.targets in (("q", "v"), ("q",))


def test_a_list_is_a_choice(write_space):
    spelled_out = one(type="categorical", choices=[1e-3, 1e-4])
    space = load_space(write_space(parameters={"train.learning_rate": [1e-3, 1e-4]}))
    assert space == load_space(write_space(parameters=spelled_out))
    assert str(space.parameters["train.learning_rate"]) == "one of 0.001, 0.0001"


@pytest.mark.parametrize(
    ("key", "value", "others"),
    [
        ("lora.targets", ["q", "v"], [["q"], ["q", "v"]]),
        ("generate.stop", ["\n"], [[], ["\n", "Q:"]]),
        ("data.length_buckets", [16, 32], [[], [16]]),
    ],
)
def test_where_the_value_is_a_list_a_list_of_lists_is_the_choice(write_space, key, value, others):
    about = {"overrides": {"lora.enabled": True}}
    rate = one(**FLOAT)
    fixed = load_space(write_space(**about, parameters={**rate, key: value})).parameters[key]
    assert (fixed.type, fixed.ends()) == ("fixed", [value])
    choice = load_space(write_space(**about, parameters={**rate, key: others})).parameters[key]
    assert (choice.type, choice.ends()) == ("categorical", others)


def test_a_number_with_an_exponent_is_one_everywhere_in_a_space(write_space):
    text = """
    overrides: {train.epsilon: 1e-7, train.max_steps: 9e1}
    parameters:
      train.learning_rate: [1e-5, 1E-4, 3.e-4]
      train.weight_decay: 1e-2
      train.clip_norm: {value: 1e0, when: {train.learning_rate: 1e-5}}
      train.label_smoothing: {type: float, low: 1e-3, high: 1e-1, log: true}
    start_with: [{train.learning_rate: 1e-5, train.label_smoothing: 2e-3}]
    """
    path = write_space(parameters=None)
    path.write_text(path.read_text() + textwrap.dedent(text))
    space = load_space(path)
    assert (space.base_config.train.epsilon, space.max_steps) == (1e-7, 90)
    found = {key: parameter.ends() for key, parameter in space.parameters.items()}
    assert found == {
        "train.learning_rate": [1e-5, 1e-4, 3e-4],
        "train.weight_decay": [1e-2],
        "train.clip_norm": [1.0],
        "train.label_smoothing": [1e-3, 1e-1],
    }
    assert space.parameters["train.clip_norm"].when == {"train.learning_rate": (1e-5,)}
    assert space.start_with == ({"train.learning_rate": 1e-5, "train.label_smoothing": 2e-3},)
    quoted = path.read_text().replace("[1e-5,", "['1e-5',")
    path.write_text(quoted)
    with pytest.raises(UsageError, match="'1e-5' would be read as 1e-05; write 1e-05"):
        load_space(path)


def test_the_baseline_is_known_to_the_sampler_only_where_it_lies_in_the_space(write_space, space):
    assert space.baseline_params() == {"train.learning_rate": 1e-3, "train.weight_decay": 0.0}
    outside = one(type="float", low=0.5, high=0.9)
    assert load_space(write_space(parameters=outside)).baseline_params() is None
    grid = {"train.batch_size": {"type": "int", "low": 2, "high": 10, "step": 4}}  # 8 is not on it
    assert load_space(write_space(parameters=grid)).baseline_params() is None


def test_short_forms(write_space):
    space = load_space(write_space(sampler="random", scheduler="asha"))
    assert space.sampler.name == "random"
    assert space.scheduler.first_rung(space.report_every_steps) == 10


def test_stored_and_read_again_it_is_the_same(space):
    from tuning.search.load import parse_space

    again = parse_space(parse_yaml(space.to_yaml()), "stored")
    assert again == space
    assert space.differences(again) == []


def test_differences_are_named(write_space, space):
    changed = {**{"train.weight_decay": {"type": "float", "low": 0.0, "high": 0.2}}, **one(type="float", low=1, high=2)}
    other = load_space(write_space(parameters=changed, trials=50, overrides={"train.beta1": 0.8}))
    named = space.differences(other)
    assert "parameters.train.weight_decay.high: 0.1 -> 0.2" in named
    assert "base_config.train.beta1: 0.9 -> 0.8" in named
    assert not any(line.startswith("trials") for line in named)


def test_seeds_follow_from_study_seed_and_number():
    seeds = [seed_for(TpeSampler(seed=seed), number) for seed in (0, 1) for number in (0, 1)]
    assert len(set(seeds)) == 4
    assert seeds[0] == seed_for(TpeSampler(seed=0), 0)


FLOAT = {"type": "float", "low": 0.1, "high": 0.2}
FINAL = {"train.final_lr_fraction": FLOAT}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": {"train.learning_rat": FLOAT}}, "did you mean 'train.learning_rate'"),
        ({"parameters": one(type="float", low=0.2, high=0.1)}, "empty range: low=0.2, must be < high=0.1"),
        ({"parameters": one(type="float", low=0.2, high=0.2)}, "empty range"),
        ({"parameters": one(type="float", low=-1.0, high=0.1)}, "parameters.train.learning_rate"),
        ({"parameters": one(type="float", low=0.0, high=0.1, log=True)}, "low=0.0, must be > 0 with log: true"),
        ({"parameters": one(type="float", low=0.1, high=0.2, log=True, step=0.1)}, "log and step are both given"),
        ({"parameters": one(type="float", low=0.1, high=0.2, step=0.03)}, "step=0.03, must divide high - low"),
        ({"parameters": one(type="float", low=0.1)}, "needs low and high"),
        ({"parameters": one(type="float", low="a", high=0.2)}, "low"),
        ({"parameters": one(type="float", low=True, high=2)}, "true or false"),
        ({"parameters": one(type="float", low=0.1, high=0.2, min=0.1)}, "'min' and 'low' are both given"),
        ({"parameters": one(**FLOAT, quantile=3)}, "unknown key 'parameters.train.learning_rate.quantile'"),
        ({"parameters": one(type="normal", low=0.1, high=0.2)}, "type='normal'"),
        ({"parameters": one(type="categorical", choices=[0.1])}, "at least two"),
        ({"parameters": one(type="categorical", choices=[0.1, 0.1])}, "must differ"),
        ({"parameters": {"train.learning_rate": [0.1]}}, "at least two"),
        ({"parameters": {"train.learning_rat": [0.1, 0.2]}}, "did you mean 'train.learning_rate'"),
        ({"parameters": {"train.max_steps": {"type": "float", "low": 20, "high": 50}}}, "use type: int"),
        ({"parameters": {"train.max_steps": {"type": "int", "low": 20.5, "high": 50}}}, "whole numbers"),
        ({"parameters": {"train.schedule": {"type": "choice", "values": ["cosine", "x"]}}}, "train.schedule='x'"),
        ({"parameters": {"lora.rank": {"type": "int", "low": 1, "high": 8}}}, "lora.rank has no effect while"),
        ({"overrides": {"lora.rank": 4}}, "lora.rank has no effect while lora.enabled is not True"),
        ({"overrides": {"train.schedule": "constant"}, "parameters": FINAL}, "no effect while train.schedule is not"),
        ({"parameters": {"budget.reserve_s": FLOAT}}, "budget.reserve_s cannot be searched"),
        ({"overrides": {"train.learning_rate": 1.0}}, "both parameters and overrides"),
        ({"overrides": {"train.nonsense": 1.0}}, "unknown config key 'train.nonsense'"),
        ({"overrides": [1]}, "`overrides` a mapping"),
        ({"parameters": {}}, "parameters"),
        ({"parameters": None}, "parameters is missing"),
        ({"trials": 0}, "trials=0"),
        ({"trials": "many"}, "trials='many'"),
        ({"trails": 3}, "unknown key 'trails'"),
        ({"metric": "dev/accuracy"}, "metric='dev/accuracy', must be one of dev/answer_correctness"),
        ({"direction": "up"}, "direction='up'"),
        ({"sampler": "bayes"}, "sampler={'name': 'bayes'}: must be one of tpe, random, qmc, grid"),
        ({"scheduler": {"grace_period": 10}}, "must be one of asha, hyperband"),
        ({"scheduler": {"name": "asha", "reduction_factor": 1}}, "reduction_factor=1"),
        ({"scheduler": {"name": "asha", "grace_period": 91}}, "grace_period=91, must be from report_every_steps=10 to"),
        ({"scheduler": {"name": "asha", "grace_period": 5}}, "grace_period=5, must be from report_every_steps=10 to"),
        ({"workers": 0}, "workers=0, must be auto or >= 1"),
        ({"name": "a/b"}, "space name 'a/b'"),
        ({"base": "absent.yaml"}, "'absent.yaml' not found"),
        ({"base": None}, "`base` must be the path"),
    ],
)  # fmt: skip
def test_a_bad_space_is_one_line_that_names_the_fault(write_space, changes, message):
    with pytest.raises(UsageError) as caught:
        load_space(write_space(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "space.yaml" in str(caught.value)


def test_a_missing_and_a_corrupt_file(home):
    with pytest.raises(UsageError, match=r"'absent\.yaml' not found"):
        load_space("absent.yaml")
    (home / "broken.yaml").write_text("a: [")
    with pytest.raises(UsageError, match="not YAML"):
        load_space(home / "broken.yaml")
