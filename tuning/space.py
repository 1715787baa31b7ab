"""Search spaces: a base config, the parameters that vary, and how to search them.

A space is a YAML file (`search_spaces/`). Everything in it is checked when it is loaded, so that no trial can fail for
a mistake in the file and no parameter is ever silently ignored.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from podium.core.config import (
    Role,
    RunConfig,
    Section,
    check_key,
    keys_with_role,
    load_config,
    load_yaml,
    one_line,
)
from podium.core.errors import UsageError
from podium.core.paths import check_name, find_config
from tuning.parameters import Parameter, field_type
from tuning.samplers import Sampler, TpeSampler
from tuning.schedulers import AshaScheduler, Scheduler

# What a worker reports, and the direction that is better.
METRICS: dict[str, Literal["maximize", "minimize"]] = {
    "dev/answer_correctness": "maximize",
    "dev/primary_score": "maximize",
    "train/loss": "minimize",
}
# A parameter must be able to change the trained model: what enters the program, and which data and files are read.
SEARCHABLE = {
    *keys_with_role(Role.PROGRAM),
    *keys_with_role(Role.TRACED),
    *("data.trainset", "model.tokenizer", "model.revision"),
}
# Keys (or sections, with the dot) that do nothing unless another key has this value.
NEEDS = {"lora.": ("lora.enabled", True), "train.final_lr_fraction": ("train.schedule", "cosine")}


class SearchSpace(Section):
    """What a study searches, and how. `base_config` is the base with `overrides` applied, fully resolved."""

    name: str
    base: str = Field(description="path to the base config; below the space's folder, home or the shipped files")
    base_config: RunConfig
    overrides: dict[str, Any] = Field({})
    metric: str = "dev/answer_correctness"
    direction: Literal["maximize", "minimize"]
    sampler: Sampler = TpeSampler()
    scheduler: Scheduler = AshaScheduler()
    trials: int = Field(ge=1)
    report_every_steps: int = Field(ge=1)
    workers: Literal["auto"] | int = "auto"
    baseline: bool = Field(True, description="run the base config itself as trial 0")
    parameters: dict[str, Parameter] = Field(min_length=1)

    @field_validator("sampler", "scheduler", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _natural_direction(cls, values: Any) -> Any:
        if isinstance(values, dict) and "direction" not in values:
            metric = values.get("metric", "dev/answer_correctness")
            values = {**values, "direction": METRICS.get(metric, "maximize") if isinstance(metric, str) else "maximize"}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.metric not in METRICS:
            raise ValueError(f"metric={self.metric!r}, must be one of {', '.join(METRICS)}")
        if isinstance(self.workers, int) and self.workers < 1:
            raise ValueError(f"workers={self.workers}, must be auto or >= 1")
        rung = self.scheduler.first_rung(self.report_every_steps)
        if rung is not None and not self.report_every_steps <= rung <= self.max_steps:
            raise ValueError(
                f"scheduler.grace_period={rung}, must be from report_every_steps={self.report_every_steps} "
                f"to the most steps a trial can have, {self.max_steps}"
            )
        return self

    @property
    def mode(self) -> Literal["max", "min"]:
        """The direction as Ray Tune spells it."""
        return "max" if self.direction == "maximize" else "min"

    @property
    def max_steps(self) -> int:
        """The most steps a trial can have: the maximum resource."""
        searched = self.parameters.get("train.max_steps")
        return int(max(searched.ends())) if searched else self.base_config.train.max_steps

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Draw every parameter from an Optuna trial, one after the other (define by run)."""
        return {key: parameter.suggest(trial, key) for key, parameter in self.parameters.items()}

    def baseline_params(self) -> dict[str, Any] | None:
        """The base config's own values as Optuna spells them; None where it lies outside the searched ranges."""
        values = {key: self.base_config.get(key) for key in self.parameters}
        if not all(parameter.contains(values[key]) for key, parameter in self.parameters.items()):
            return None
        return {key: parameter.label(values[key]) for key, parameter in self.parameters.items()}

    def config(self, overrides: Mapping[str, Any]) -> RunConfig:
        """The base config with sampled values in place. Raises UsageError where they do not go together."""
        return self.base_config.with_overrides(overrides)

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    def differences(self, other: "SearchSpace") -> list[str]:
        """What makes a study of `other` another study: `path: here -> there`. How much to run is not part of it."""
        mine, theirs = _flat(self.model_dump(mode="json")), _flat(other.model_dump(mode="json"))
        # The resolved base config says everything that the path to it and the overrides say.
        free = ("trials", "workers", "name", "base", "overrides")
        keys = [key for key in {**mine, **theirs} if key.split(".")[0] not in free]
        return [
            f"{key}: {mine.get(key, 'absent')} -> {theirs.get(key, 'absent')}"
            for key in keys
            if mine.get(key, ...) != theirs.get(key, ...)
        ]


def load_space(path: str | Path) -> SearchSpace:
    """Read and check a space.

    Raises:
        UsageError: missing or corrupt file, unknown key, empty range, wrong type, value that RunConfig refuses, or a
            parameter that could have no effect; one line that names it.
    """
    file = find_config(str(path))
    values = load_yaml(file)
    if "base_config" in values:
        raise UsageError(f"{file}: unknown key 'base_config'; name the base config's file as `base`")
    overrides = values.get("overrides") or {}
    if not isinstance(values.get("base"), str) or not isinstance(overrides, dict):
        raise UsageError(
            f"{file}: `base` must be the path of a base config, and `overrides` a mapping of keys to values"
        )
    try:
        base = load_config(_find_base(values["base"], file), overrides)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None
    return parse_space({**values, "overrides": overrides, "base_config": base.model_dump(mode="json")}, str(file))


def parse_space(values: Mapping[str, Any], where: str) -> SearchSpace:
    """A space from its values, `base_config` included. Raises UsageError."""
    try:
        space = SearchSpace.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{where}: {one_line(error)}") from error
    try:
        _check(space)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    return space


def _check(space: SearchSpace) -> None:
    check_name(space.name, "space")
    for key in space.parameters:
        _check_searchable(space, key)
        _check_values(space, key)
    for key in (*space.parameters, *space.overrides):
        _check_effect(space, key)


def _check_searchable(space: SearchSpace, key: str) -> None:
    check_key(key)
    if key not in SEARCHABLE:
        raise UsageError(
            f"parameters: {key} cannot change what is learned, so searching it is refused; set it in the base"
        )
    if key in space.overrides:
        raise UsageError(f"{key} is under both parameters and overrides; keep one")


def _check_effect(space: SearchSpace, key: str) -> None:
    for prefix, (other, needed) in NEEDS.items():
        if key.startswith(prefix) and key != other:
            if other in space.parameters:
                raise UsageError(f"{key} has no effect in trials where {other} is not {needed!r}; fix {other} instead")
            if space.base_config.get(other) != needed:
                raise UsageError(f"{key} has no effect while {other} is not {needed!r}; set {other} under overrides")


def _check_values(space: SearchSpace, key: str) -> None:
    """Build the config at both ends, so that a bound that RunConfig refuses is found now."""
    parameter = space.parameters[key]
    if parameter.type == "float" and field_type(key) is int:
        raise UsageError(f"parameters.{key}: type float, but {key} is a whole number; use type: int")
    for value in parameter.ends():
        # The one rule that ties fields together; a combination that breaks it is found when it is drawn.
        room = {"train.warmup_steps": 0} if key == "train.max_steps" else {}
        try:
            read = space.base_config.with_overrides({**room, key: value}).get(key)
        except UsageError as error:
            raise UsageError(f"parameters.{key}: {error}") from None
        read = list(read) if isinstance(read, tuple) else read
        if read != value:
            raise UsageError(f"parameters.{key}: {value!r} would be read as {read!r}; write it so")


def _find_base(base: str, space_file: Path) -> Path:
    beside = space_file.parent / base
    return beside if beside.is_file() else find_config(base)


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, by dotted path."""
    if not isinstance(values, dict):
        return {prefix.removesuffix("."): values}
    return {path: leaf for name, inner in values.items() for path, leaf in _flat(inner, f"{prefix}{name}.").items()}
