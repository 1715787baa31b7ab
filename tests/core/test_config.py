import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from podium.core.config import RunConfig, all_keys, keys_with_role, load_config, parse_assignment, parse_config
from podium.core.config_sections import Role
from podium.core.errors import UsageError


def test_every_key_round_trips_through_yaml(tmp_path):
    config = RunConfig().with_overrides({"train.learning_rate": 2e-3, "lora.enabled": True, "lora.targets": ["q", "v"]})
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert load_config(path) == config
    assert load_config(path).hash == config.hash


def test_yaml_writes_out_every_default_but_those_of_keys_that_older_hashes_lack():
    sections = yaml.safe_load(RunConfig().to_yaml())
    written = {f"{section}.{key}" for section, values in sections.items() for key in values}
    newer = {"budget.competition", "data.date", "data.loss_on", "data.system", "data.template_options", "train.epochs"}
    assert written == set(all_keys()) - newer
    dated = RunConfig().with_overrides({"data.date": "2026-11-20"})
    assert "  date: '2026-11-20'" in dated.to_yaml() and dated.hash != RunConfig().hash


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"train.learning_rat": 1}, "unknown config key 'train.learning_rat'; did you mean 'train.learning_rate'?"),
        ({"learning_rate": 1}, "unknown config key 'learning_rate'; did you mean 'train.learning_rate'?"),
        ({"train.learning_rate": "fast"}, "train.learning_rate='fast': must be a valid number"),
        ({"train.learning_rate": True}, "train.learning_rate=True: must not be true or false"),
        ({"train.learning_rate": 0}, "train.learning_rate=0: must be greater than 0"),
        ({"train.learning_rate": float("nan")}, "train.learning_rate=nan"),
        ({"train.max_steps": 1.5}, "train.max_steps=1.5"),
        ({"train.warmup_steps": 101}, "train.warmup_steps=101, must be <= train.max_steps=100"),
        ({"train.dtype": "float12"}, "train.dtype='float12'"),
        ({"train.epochs": 2, "train.max_steps": 5}, "train.epochs=2 with train.max_steps=5: choose one of them"),
        ({"train.max_steps": None}, "train.max_steps=null without train.epochs: give one of them"),
        ({"train.epochs": 0}, "train.epochs=0: must be greater than 0"),
        ({"data.max_seq_len": "long"}, "data.max_seq_len='long': must be a valid integer"),
        ({"data.max_seq_len": 4}, "data.max_seq_len=4: must be greater than or equal to 8, or auto"),
        ({"generate.batch_size": 0}, "generate.batch_size=0: must be greater than or equal to 1, or auto"),
        ({"lora.rank": 0}, "lora.rank=0"),
        ({"generate.stop": "a"}, "generate.stop='a': must be a list, such as [a, b]"),
        ({"data.template_options": 1}, "data.template_options=1: must be keys with values"),
        ({"train.max_steps": 2**31}, "train.max_steps=2147483648: must be less than or equal to 2147483647"),
        ({"generate.top_k": 2**31}, "generate.top_k=2147483648: must be less than or equal to 2147483647"),
        ({"lora.dropout": 1.0}, "lora.dropout=1.0: must be less than 1"),
        ({"model.base_dtype": "int8"}, "model.base_dtype='int8' with lora.enabled=false: int8 kernels cannot"),
    ],
)
def test_bad_override_is_one_line(overrides, message):
    with pytest.raises(UsageError) as caught:
        RunConfig().with_overrides(overrides)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {learning_rat: 1}", "unknown config key 'train.learning_rat'; did you mean"),
        ("trian: {}", "unknown key 'trian'"),
        ("train: 3", "train=3"),
        ("- 1", "holds list, must be a mapping"),
        ("train: {", "not YAML"),
        ("data: {date: 2024-13-01}", "data.date='2024-13-01': must be a valid date"),
    ],
)
def test_bad_file_is_one_line_that_names_it(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_config(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_override_of_the_command_line_is_named_so(tmp_path):
    (tmp_path / "c.yaml").write_text("{}")
    with pytest.raises(UsageError, match=r"^--set: train\.max_steps=0: must be greater"):
        load_config(tmp_path / "c.yaml", {"train.max_steps": 0})


def test_missing_file(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        load_config(tmp_path / "none.yaml")


def test_a_rule_for_several_keys_of_a_section_does_not_show_all_of_it():
    with pytest.raises(UsageError) as caught:
        RunConfig().with_overrides({"generate.num_samples": 2})
    rule = "gives the same answer 2 times; raise generate.temperature"
    assert str(caught.value) == f"overrides: generate.num_samples=2 with generate.temperature=0 {rule}"


def test_a_number_in_quotes_is_one_in_a_number_field():
    assert parse_config({"train": {"learning_rate": "1e-3"}}, "test").train.learning_rate == 1e-3


def test_assignment():
    assert parse_assignment("train.max_steps=50") == ("train.max_steps", 50)
    assert parse_assignment("train.learning_rate=1e-5") == ("train.learning_rate", 1e-5)
    assert parse_assignment("generate.stop=['1e-5', a]") == ("generate.stop", ["1e-5", "a"])
    with pytest.raises(UsageError, match="must be key=value"):
        parse_assignment("train.max_steps")
    with pytest.raises(UsageError, match="unknown config key"):
        parse_assignment("train.steps=1")


# A value unlike the default for every key, so that no role is left untested.
CHANGED = {
    "model.source": "other",
    "data.max_seq_len": 32,
    "generate.batch_size": 4,
    "generate.max_prompt_tokens": 8,
    "generate.max_new_tokens": 16,
    "train.optimizer": "lion",
    "train.schedule": "constant",
    "train.dtype": "bfloat16",
    "train.remat": "none",
    "generate.top_p": 0.9,
    "lora.enabled": True,
    "lora.targets": ["q"],
    "lora.rslora": True,
    "lora.dora": True,
    "model.base_dtype": "int8",
    "device.count": 2,
    "device.fsdp": 2,
}
NEED_LORA = ("lora.", "model.base_dtype")


@pytest.mark.parametrize("key", keys_with_role(Role.PROGRAM))
def test_program_fields_change_the_program_key(key):
    base = RunConfig().with_overrides({"lora.enabled": key.startswith(NEED_LORA) and key != "lora.enabled"})
    value = CHANGED[key] if key in CHANGED else base.get(key) + 1
    assert base.with_overrides({key: value}).program_key != base.program_key


@pytest.mark.parametrize("key", keys_with_role(Role.TRACED))
def test_traced_fields_do_not(key):
    base = RunConfig()
    value = CHANGED[key] if key in CHANGED else base.get(key) + (1 if isinstance(base.get(key), int) else 0.01)
    changed = base.with_overrides({key: value})
    assert changed.program_key == base.program_key
    assert changed.hash != base.hash
    assert changed.traced()[key] == value


def test_lora_fields_do_not_shape_a_run_without_lora():
    assert RunConfig().with_overrides({"lora.rank": 4}).program_key == RunConfig().program_key


def test_only_whether_there_is_dropout_changes_the_program():
    none, some, more = (RunConfig().with_overrides({"lora.enabled": True, "lora.dropout": p}) for p in (0.0, 0.1, 0.2))
    assert none.program_key != some.program_key == more.program_key
    later = none.with_overrides({"train.changes": [{"step": 2, "overrides": {"lora.dropout": 0.1}}]})
    assert (none.has_dropout, later.has_dropout, later.program_key) == (False, True, some.program_key)
    assert not RunConfig().with_overrides({"lora.dropout": 0.1}).has_dropout  # no adapters


@given(st.floats(min_value=1e-8, max_value=1.0), st.integers(1, 10**6))
def test_overrides_are_kept_exactly(learning_rate, steps):
    config = RunConfig().with_overrides({"train.learning_rate": learning_rate, "train.max_steps": steps})
    assert (config.train.learning_rate, config.train.max_steps) == (learning_rate, steps)


CHANGES = [
    {"step": 10, "overrides": {"train.learning_rate": 1e-3}},
    {"step": 20, "overrides": {"train.weight_decay": 0.1, "train.learning_rate": 2e-3}},
]


def test_changes_are_made_from_their_step_on():
    config = RunConfig().with_overrides({"train.changes": CHANGES})
    assert config.program_key == RunConfig().program_key
    assert config.hash != RunConfig().hash
    rates = {step: config.at(step).train.learning_rate for step in (0, 9, 10, 19, 20, 99)}
    assert rates == {0: 3e-4, 9: 3e-4, 10: 1e-3, 19: 1e-3, 20: 2e-3, 99: 2e-3}
    assert (config.at(19).train.weight_decay, config.at(20).train.weight_decay) == (0.0, 0.1)
    assert config.at(20).train.changes == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([CHANGES[1], CHANGES[0]], r"train\.changes at steps \[20, 10\], must be in ascending order"),
        ([CHANGES[0], CHANGES[0]], r"train\.changes at steps \[10, 10\], must be in ascending order"),
        (
            [{"step": 0, "overrides": {"train.learning_rate": 1}}],
            r"train\.changes\.0\.step=0: .* greater than or equal",
        ),
        (
            [{"step": 5, "overrides": {"train.batch_size": 4}}],
            r"at step 5 holds train\.batch_size, which cannot change",
        ),
        (
            [{"step": 5, "overrides": {"train.seed": 4}}],
            r"at step 5 holds train\.seed, which cannot change during a run",
        ),
        (
            [{"step": 5, "overrides": {"train.learning_rate": -1.0}}],
            r"at step 5: overrides: train\.learning_rate=-1\.0",
        ),
        (
            [{"step": 5, "overrides": {"train.warmup_steps": 1000}}],
            r"at step 5: .*train\.warmup_steps=1000, must be <=",
        ),
        ([{"step": 5, "overrides": {}}], r"train\.changes\.0\.overrides=\{\}"),
    ],
)
def test_impossible_changes_are_one_line(changes, message):
    with pytest.raises(UsageError, match=message) as caught:
        RunConfig().with_overrides({"train.changes": changes})
    assert "\n" not in str(caught.value)
