"""`ProgramLibrary.resolve`: the numbers of a real trainset, tokenizer and model."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.records import ReasoningTrace
from podium.core.resolved import ResolvedConfig
from tests.trainer.conftest import sums, trace
from trainer.data.trainsets import write_trainset
from trainer.memory.decoding import COPIES_OF_LOGITS, SHARE, DecodingMemory
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun

Write = Callable[[str, Sequence[ReasoningTrace]], RunConfig]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a trainset; returns a config that trains on it and leaves every size open."""

    def write_one(name: str, traces: Sequence[ReasoningTrace]) -> RunConfig:
        folder = tmp_path / name
        write_trainset(folder, traces, name=name, recipe="test", recipe_version="1", seed=None)
        return RunConfig().with_overrides({"data.trainset": str(folder)})

    return write_one


def sizes(config: ResolvedConfig) -> tuple[int, int, int, int]:
    generate = config.generate
    return config.data.max_seq_len, generate.max_prompt_tokens, generate.max_new_tokens, generate.batch_size


def never() -> Sequence[ReasoningTrace]:
    raise AssertionError("the evalset is not needed")


def test_sizes_fit_the_trainset_and_the_prompts_to_answer(
    write: Write, library: ProgramLibrary, make_samples: Callable
) -> None:
    config = write("sums", sums())
    short = library.resolve(config, lambda: make_samples("1+1=?"))
    whole = library.trainset(short)
    assert (whole.n_truncated, whole.n_dropped, whole.n_examples) == (0, 0, 100)
    assert sizes(short) == (24, 16, 16, 32)  # the batch of a CPU
    longest = library.resolve(config, lambda: make_samples("1+1=?", "1+" * 20 + "1=?"))
    assert longest.generate.max_prompt_tokens == 48
    assert sizes(longest)[:1] + sizes(longest)[2:] == (24, 16, 32)


def test_two_trials_with_similar_data_have_one_program(write: Write, library: ProgramLibrary) -> None:
    one = library.resolve(write("one", sums()), tuple)
    other = library.resolve(write("other", [*sums(), trace("10+9=?", "19", "0+9=19")]), tuple)
    assert one.data.trainset != other.data.trainset
    assert one.program_key == other.program_key
    assert library.training_program(one) is library.training_program(other)


def test_numbers_are_taken_as_they_are_and_nothing_is_read(library: ProgramLibrary, config: RunConfig) -> None:
    absent = config.with_overrides({"data.trainset": "absent"})
    assert library.resolve(absent, never) == library.resolve(library.resolve(absent, never), never)
    assert library.resolve(absent, never).hash == absent.hash


def test_no_number_of_tokens_exceeds_the_model_or_what_the_caller_allows(write: Write, library: ProgramLibrary) -> None:
    config = write("long", [trace("1+" * 300 + "1=?", "301", "+" * 400)])
    positions = library.base(config).arch.max_positions
    found = library.resolve(config, tuple)
    assert found.data.max_seq_len == positions
    assert found.generate.max_prompt_tokens + found.generate.max_new_tokens == positions
    small = library.resolve(config, tuple, 128)
    assert sizes(small)[0] == 128 and sum(sizes(small)[1:3]) == 128


def test_epochs_count_rows_that_are_trained(write: Write, library: ProgramLibrary) -> None:
    config = write("sums", sums()).with_overrides({"train.epochs": 3, "train.batch_size": 8})
    assert library.resolve(config, tuple).train.max_steps == 38  # 300 rows in steps of 8
    packed = library.resolve(config.with_overrides({"data.packing": True, "data.max_seq_len": 64}), tuple)
    assert packed.train.max_steps == -(-3 * library.trainset(packed).n_rows // 8) < 38
    with pytest.raises(UsageError, match=r"train\.warmup_steps=50, must be <= train\.max_steps=38"):
        library.resolve(config.with_overrides({"train.warmup_steps": 50}), tuple)


def test_a_run_that_was_not_resolved_is_an_internal_error(
    write: Write, library: ProgramLibrary, tmp_path: Path
) -> None:
    with pytest.raises(PodiumError, match=r"internal error: data\.max_seq_len=auto") as caught:
        TrainingRun(write("sums", sums()), tmp_path / "run", library)
    assert not isinstance(caught.value, UsageError)
    assert not (tmp_path / "run").exists()


def test_a_batch_fills_the_memory_by_the_estimate(write: Write, library: ProgramLibrary) -> None:
    memory = DecodingMemory(weights=100, copies=0, cache=64, logits=8, prompts=32)  # of 32 rows: 4 a row
    assert COPIES_OF_LOGITS * 8 + 64 + 32 == 32 * 4
    assert memory.rows_that_fit(32, available=1000, beside=150) == pytest.approx((SHARE * 1000 - 250) / 4)
    config = library.resolve(write("sums", sums()), tuple)
    few, many = (library.rows_that_fit(config, available) for available in (10**9, 2 * 10**9))
    assert many - few == pytest.approx(few, rel=0.05)  # the weights are small beside the rows
    for rows in (int(few), int(many)):
        fitting = library.decoding_program(config.with_overrides({"generate.batch_size": rows})).memory
        assert fitting.cache + fitting.logits + fitting.weights < 2 * 10**9
