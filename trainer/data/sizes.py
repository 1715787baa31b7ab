"""Sizes that fit the data: what `auto` stands for in a config, and how many steps `train.epochs` are.

A size is rounded up to one of a few, so that trials with slightly different data share their compiled programs.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile

import numpy as np

from podium.core.config import RunConfig
from podium.core.config_sections import INT32_MAX, Auto
from podium.core.errors import UsageError
from podium.core.resolved import with_numbers
from trainer.data.rows import EncodedTrainset

SMALLEST = 16


@dataclass(frozen=True)
class Lengths:
    """Tokens of the longest prompt, of the longest completion with its end, and of the longest row of one example."""

    prompt: int
    completion: int
    whole: int

    def with_prompts(self, prompts: Sequence[Sequence[int]]) -> "Lengths":
        """These lengths, with prompts of an evalset as well."""
        return Lengths(max([self.prompt, *map(len, prompts)]), self.completion, self.whole)


def sizes() -> Iterator[int]:
    """1, 2, 3, 4, 6, 8, 12 and so on: powers of two, and 1.5 times powers of two."""
    yield 1
    for power in count(1):
        yield 2**power
        yield 3 * 2 ** (power - 1)


def size_for(longest: int) -> int:
    """The smallest of `sizes` from SMALLEST that holds `longest` tokens."""
    return next(size for size in sizes() if size >= max(longest, SMALLEST))


def largest_size(most: float) -> int:
    """The largest of `sizes` up to `most`, at least 1."""
    return max(takewhile(lambda size: size <= max(most, 1), sizes()))


def lengths_of(trainset: EncodedTrainset) -> Lengths:
    """The lengths of a trainset. Each part that is learned is a completion, and all before it is its prompt."""
    return Lengths(
        prompt=int(trainset.runs.start.max(initial=0)),
        completion=int(trainset.runs.length.max(initial=0)),
        whole=int(np.diff(trainset.starts).max(initial=1)) - 1,  # the last token is only a target
    )


def resolve_lengths(config: RunConfig, lengths: Lengths, positions: int) -> RunConfig:
    """`config` with the numbers of tokens that fit `lengths`, up to the model's `positions`.

    If the longest prompt and the longest completion do not both fit, a completion gets at least half of the positions,
    or what it needs if that is less; prompts lose their beginning.
    """
    new = config.generate.max_new_tokens
    if new == "auto":
        new = _new_tokens(config.generate.max_prompt_tokens, lengths, positions)
    return with_numbers(
        config,
        {
            "data.max_seq_len": min(size_for(lengths.whole), positions),
            "generate.max_prompt_tokens": max(1, min(size_for(lengths.prompt), positions - new)),
            "generate.max_new_tokens": new,
        },
    )


def _new_tokens(prompt: int | Auto, lengths: Lengths, positions: int) -> int:
    if prompt == "auto":
        left = max(positions - lengths.prompt, min(lengths.completion, positions // 2))
    else:
        left = positions - prompt
    return max(1, min(size_for(lengths.completion), left))


def resolve_steps(config: RunConfig, n_rows: int) -> RunConfig:
    """`config` with the number of steps in place of train.epochs, for a trainset of `n_rows` rows.

    Raises:
        UsageError: more steps than a run can count.
    """
    train = config.train
    if train.epochs is None:
        return config
    steps = math.ceil(train.epochs * n_rows / (train.batch_size * train.gradient_accumulation_steps))
    if steps > INT32_MAX:
        raise UsageError(
            f"train.epochs={train.epochs:g} are {steps} steps of this trainset, must be at most {INT32_MAX}; take fewer"
        )
    return config.with_overrides({"train.epochs": None, "train.max_steps": steps})
