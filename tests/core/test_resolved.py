import pytest

from podium.core.config import RunConfig, load_config, parse_config
from podium.core.errors import PodiumError, UsageError
from podium.core.resolved import ResolvedConfig, open_keys, resolved, sizes_line, with_numbers, with_sizes_of

NUMBERS = {
    "data.max_seq_len": 48,
    "generate.max_prompt_tokens": 24,
    "generate.max_new_tokens": 32,
    "generate.batch_size": 32,
}


def test_by_default_every_size_is_to_be_found() -> None:
    assert open_keys(RunConfig()) == list(NUMBERS)
    assert open_keys(RunConfig().with_overrides({**NUMBERS, "train.epochs": 2})) == ["train.epochs"]


def test_a_config_without_its_numbers_is_an_internal_error_and_no_crash() -> None:
    with pytest.raises(PodiumError, match=r"internal error: data\.max_seq_len=auto, must be resolved before") as caught:
        resolved(RunConfig())
    assert not isinstance(caught.value, UsageError)
    with pytest.raises(PodiumError, match=r"internal error: train\.epochs=2\.0, must be resolved before"):
        _ = RunConfig().with_overrides({"train.epochs": 2}).steps
    with pytest.raises(UsageError, match="max_seq_len"):
        ResolvedConfig.parse({"data": {"max_seq_len": "auto"}, "train": {"max_steps": 1}, "generate": {}}, "lock")


def test_a_resolved_config_has_the_hash_the_program_and_the_text_of_its_numbers() -> None:
    config = RunConfig().with_overrides(NUMBERS)
    found = resolved(config)
    assert type(found) is ResolvedConfig and type(found.with_overrides({"train.seed": 1})) is ResolvedConfig
    assert (found.hash, found.program_key, found.to_yaml()) == (config.hash, config.program_key, config.to_yaml())
    assert resolved(found) is found


def test_numbers_take_the_place_of_auto_only_and_shorten_the_buckets() -> None:
    config = RunConfig().with_overrides({"generate.max_new_tokens": 7, "data.length_buckets": [16, 32, 64]})
    found = with_numbers(config, NUMBERS)
    assert (found.data.max_seq_len, found.data.length_buckets) == (48, (16, 32))
    assert (found.generate.max_new_tokens, found.generate.max_prompt_tokens, found.generate.batch_size) == (7, 24, 32)
    assert with_numbers(found, {"data.max_seq_len": 64}) is found


def test_a_later_session_takes_the_sizes_of_the_earlier_one() -> None:
    earlier = RunConfig().with_overrides({**NUMBERS, "train.seed": 5})
    config = with_sizes_of(RunConfig(), earlier)
    assert {key: config.get(key) for key in NUMBERS} == NUMBERS
    assert config.train.seed == 0


def test_epochs_take_the_place_of_steps_that_were_not_given(tmp_path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("train: {learning_rate: 0.1}")
    config = load_config(path, {"train.epochs": 1.5})
    assert (config.train.epochs, config.train.max_steps) == (1.5, None)
    assert parse_config(config.model_dump(mode="json"), "again") == config
    path.write_text("train: {max_steps: 30}")
    with pytest.raises(UsageError, match=r"train\.epochs=2 with train\.max_steps=30"):
        load_config(path, {"train.epochs": 2})
    assert load_config(path, {"train.epochs": 2, "train.max_steps": None}).train.epochs == 2


def test_the_line_names_what_was_found_and_nothing_else() -> None:
    asked = RunConfig().with_overrides({"train.epochs": 2, "generate.batch_size": 4, "generate.max_new_tokens": 9})
    found = with_numbers(asked, NUMBERS).with_overrides({"train.epochs": None, "train.max_steps": 25})
    line = "data.max_seq_len=48, generate.max_prompt_tokens=24, train.max_steps=25 (2 epochs)"
    assert sizes_line(asked, found) == line
    assert sizes_line(found, found) is None
    assert sizes_line(RunConfig(), RunConfig()) is None  # a trial that has not begun
