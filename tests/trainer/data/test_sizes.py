from collections.abc import Sequence

import numpy as np
import pytest

from podium.core.config import RunConfig
from podium.core.config_sections import DataConfig
from podium.core.errors import UsageError
from podium.core.records import Conversation, Example, Message, ReasoningTrace
from trainer.data.rows import EncodedTrainset, encode
from trainer.data.sequences import learned_runs
from trainer.data.sizes import (
    Lengths,
    largest_size,
    lengths_of,
    resolve_lengths,
    resolve_steps,
    size_for,
)
from trainer.data.template import PlainTemplate


class Letters:
    """One token a character."""

    bos_id, eos_id = 1, 2

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(text.encode()) for text in texts]


def encoded(*examples: Example) -> EncodedTrainset:
    return encode("t", "0", examples, PlainTemplate(Letters(), DataConfig()), DataConfig())


def found(lengths: Lengths, positions: int, **generate: int) -> tuple[int, int, int]:
    config = RunConfig().with_overrides({f"generate.{name}": value for name, value in generate.items()})
    config = resolve_lengths(config, lengths, positions)
    sizes = config.data.max_seq_len, config.generate.max_prompt_tokens, config.generate.max_new_tokens
    assert all(isinstance(size, int) for size in sizes)
    return sizes  # type: ignore[return-value]


def test_sizes_are_few_and_hold_what_they_are_for() -> None:
    assert [size_for(n) for n in (0, 1, 16, 17, 24, 25, 33, 49, 65, 97, 129, 3000)] == (
        [16, 16, 16, 24, 24, 32, 48, 64, 96, 128, 192, 3072]
    )
    assert len({size_for(n) for n in range(1, 8193)}) == 19
    assert [largest_size(n) for n in (0.2, 1, 3.9, 5, 17, 100)] == [1, 1, 3, 4, 16, 96]


def test_the_longest_of_each_part_is_found() -> None:
    long_prompt = ReasoningTrace(prompt="p" * 30, final_answer="a")
    long_answer = ReasoningTrace(prompt="p", final_answer="a" * 40)
    lengths = lengths_of(encoded(long_prompt, long_answer))
    prompt, completion = 1 + 30 + 1, len("<answer></answer>") + 40 + 1  # BOS, line break; EOS
    assert lengths == Lengths(prompt, completion, whole=1 + 1 + 1 + completion - 1)
    assert lengths.with_prompts([[0] * 5, [0] * 99]) == Lengths(99, completion, lengths.whole)
    assert lengths.with_prompts([[0] * 5]) == lengths


def test_each_answer_of_a_conversation_is_a_completion_and_all_before_it_is_its_prompt() -> None:
    turns = [("user", "ab"), ("assistant", "c" * 20), ("user", "de"), ("assistant", "f")]
    conversation = Conversation(messages=tuple(Message(role=role, content=text) for role, text in turns))
    trainset = encoded(conversation)
    lengths = lengths_of(trainset)
    assert lengths.completion == 21  # the first answer and EOS
    assert lengths.prompt == len(trainset.ids) - 2  # all but the last answer and EOS
    assert lengths.whole == len(trainset.ids) - 1


def test_runs_end_with_their_example() -> None:
    learned = np.array([0, 1, 1, 1, 0, 1, 0, 1], bool)  # of examples of 3, 3 and 2 tokens
    runs = learned_runs(learned, np.array([0, 3, 6, 8]))
    assert runs.example.tolist() == [0, 1, 1, 2]
    assert runs.start.tolist() == [1, 0, 2, 1]
    assert runs.length.tolist() == [2, 1, 1, 1]
    kept, n_cut = runs.fitting(3, limit=1)
    assert (kept.tolist(), n_cut) == ([True, False, True], 1)


def test_sizes_fit_the_data() -> None:
    assert found(Lengths(prompt=20, completion=30, whole=49), 512) == (64, 24, 32)
    assert found(Lengths(prompt=20, completion=30, whole=49), 512, max_prompt_tokens=5) == (64, 5, 32)


@pytest.mark.parametrize(
    ("lengths", "positions", "expected"),
    [
        (Lengths(40, 20, 59), 60, (60, 40, 20)),  # both fit as they are, so neither is cut for the other's rounding
        (Lengths(40, 30, 69), 64, (64, 34, 30)),  # the answer is whole, and the prompt loses its beginning
        (Lengths(100, 100, 199), 64, (64, 32, 32)),
        (Lengths(4, 100, 103), 64, (64, 4, 60)),
        (Lengths(4, 4, 7), 8, (8, 4, 4)),
    ],
)
def test_sizes_never_exceed_the_positions(lengths: Lengths, positions: int, expected: tuple[int, int, int]) -> None:
    assert found(lengths, positions) == expected


def test_epochs_are_rounded_up_to_steps() -> None:
    config = RunConfig().with_overrides(
        {"train.epochs": 2.5, "train.batch_size": 4, "train.gradient_accumulation_steps": 2}
    )
    steps = resolve_steps(config, n_rows=101)
    assert (steps.train.max_steps, steps.train.epochs) == (32, None)  # 252.5 rows in steps of 8
    assert resolve_steps(steps, n_rows=7) is steps
    with pytest.raises(
        UsageError, match=r"train.epochs=1e\+09 are 12500000000 steps of this trainset, must be at most"
    ):
        resolve_steps(RunConfig().with_overrides({"train.epochs": 1e9}), n_rows=100)
