"""`ResolvedConfig`: a config whose sizes and number of steps are numbers. Everything that computes takes one.

A `RunConfig` may hold `auto` and `train.epochs`; `trainer.programs.library.ProgramLibrary.resolve` finds their numbers.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from podium.core.config import RunConfig
from podium.core.config_sections import DataConfig, GenerateConfig, P, Size, T, TrainConfig
from podium.core.errors import PodiumError

SIZES_IN_TOKENS = ("data.max_seq_len", "generate.max_prompt_tokens", "generate.max_new_tokens")
NOT_OURS = "own.{} is read by a training function of your own only (docs/own_objective.md); remove it"
SIZES = (*SIZES_IN_TOKENS, "generate.batch_size")


class ResolvedData(DataConfig):
    max_seq_len: Annotated[int, P] = Field(ge=8)


class ResolvedTrain(TrainConfig):
    max_steps: Annotated[int, T] = Field(ge=1)
    epochs: None = Field(None, exclude=True)


class ResolvedGenerate(GenerateConfig):
    batch_size: Annotated[Size, P]
    max_prompt_tokens: Annotated[Size, P]
    max_new_tokens: Annotated[Size, P]


class ResolvedConfig(RunConfig):
    """The config of a run that can begin. Equal numbers give the same hash and program key as in a `RunConfig`."""

    data: ResolvedData
    train: ResolvedTrain
    generate: ResolvedGenerate

    @model_validator(mode="after")
    def _has_nothing_of_the_users_own(self) -> Self:
        if self.own:
            raise ValueError(NOT_OURS.format(next(iter(self.own))))
        return self


def open_keys(config: RunConfig) -> list[str]:
    """The keys whose numbers are still to be found."""
    return [key for key in SIZES if config.get(key) == "auto"] + ["train.epochs"] * (config.train.epochs is not None)


def with_numbers(config: RunConfig, found: Mapping[str, Any]) -> RunConfig:
    """`config` with the numbers of `found` in place of its `auto`s. Buckets that are too long then are left out."""
    numbers = {key: found[key] for key in open_keys(config) if found.get(key, "auto") != "auto"}
    if length := numbers.get("data.max_seq_len"):
        numbers["data.length_buckets"] = [bucket for bucket in config.data.length_buckets if bucket < length]
    return config.with_overrides(numbers) if numbers else config


def with_sizes_of(config: RunConfig, earlier: RunConfig) -> RunConfig:
    """`config` with the sizes that an earlier session of the same run has found."""
    return with_numbers(config, {key: earlier.get(key) for key in SIZES})


def resolved(config: RunConfig) -> ResolvedConfig:
    """`config` as a type that has numbers only. Raises PodiumError, an internal error: it has not been resolved."""
    if isinstance(config, ResolvedConfig):
        return config
    if left := open_keys(config):
        raise PodiumError(f"internal error: {left[0]}={config.get(left[0])}, must be resolved before this point")
    return ResolvedConfig.parse(config.model_dump(mode="json"), "config")


def sizes_line(config: RunConfig, found: RunConfig) -> str | None:
    """`data.max_seq_len=48, train.max_steps=300 (3 epochs)`: the numbers that `config` left open, and `found` has.

    None if there are none.
    """
    shown = [f"{key}={found.get(key)}" for key in open_keys(config) if key in SIZES and found.get(key) != "auto"]
    if config.train.epochs is not None and found.train.max_steps is not None:
        shown.append(f"train.max_steps={found.train.max_steps} ({config.train.epochs:g} epochs)")
    return ", ".join(shown) or None
