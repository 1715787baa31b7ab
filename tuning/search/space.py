"""Search spaces: a base config, the parameters that vary, and how to search them.

A space is a YAML file (`search_spaces/`). Everything in it is checked when it is loaded, so that no trial can fail for
a mistake in the file and no parameter is ever silently ignored.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

import yaml
from pydantic import Field, field_validator, model_validator

from podium.core.config import RunConfig
from podium.core.config_sections import Section
from podium.core.errors import UsageError
from tuning.search.arithmetic import Constraint
from tuning.search.objectives import METRICS, Direction, Objective, with_primary_metric
from tuning.search.parameters import Parameter, in_dependency_order
from tuning.search.samplers import Sampler
from tuning.search.samplers.tpe import TpeSampler
from tuning.search.schedulers import Scheduler
from tuning.search.schedulers.asha import AshaScheduler
from tuning.search.stop_rule import StopRule
from tuning.search.worker_options import Workers


class SearchSpace(Section):
    """What a study searches, and how. `base_config` is the base with `overrides` applied, fully resolved."""

    name: str
    base: str = Field(description="path to the base config; below the space's folder, home or the shipped files")
    base_config: RunConfig
    overrides: dict[str, Any] = Field({})
    metric: str = "dev/answer_correctness"
    direction: Direction
    objectives: tuple[Objective, ...] = Field((), description="several; the first of them is `metric`")
    sampler: Sampler = TpeSampler()
    scheduler: Scheduler = AshaScheduler()
    trials: int = Field(ge=1)
    report_every_steps: int = Field(ge=1)
    workers: Workers = Field(Workers(), description="auto, a number, or {count, cores, chips}")
    max_failures: int = Field(2, ge=0, description="deaths of its processes that a trial survives; one more is its end")
    trial_timeout_s: float | None = Field(None, gt=0, description="seconds on a worker after which a trial is ended")
    baseline: bool = Field(True, description="run the base config itself as trial 0")
    parameters: dict[str, Parameter] = Field(min_length=1)
    start_with: tuple[dict[str, Any], ...] = Field((), description="values to try first; what is left out is drawn")
    stop: StopRule = StopRule()
    constraints: tuple[str, ...] = Field((), description="like peak_memory_gb <= 16; a trial that breaks one is out")

    @field_validator("parameters")
    @classmethod
    def _in_order(cls, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
        if (steps := parameters.get("train.max_steps")) and steps.type == "computed":
            raise ValueError("train.max_steps is the resource and must be known beforehand; fix it or search it")
        return in_dependency_order(parameters)

    @field_validator("sampler", "scheduler", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _natural_direction(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("objectives"):
            return with_primary_metric(values)
        if isinstance(values, dict) and "direction" not in values:
            metric = values.get("metric", "dev/answer_correctness")
            values = {**values, "direction": METRICS.get(metric, "maximize") if isinstance(metric, str) else "maximize"}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.metric not in METRICS:
            raise ValueError(f"metric={self.metric!r}, must be one of {', '.join(METRICS)}")
        if refusal := self.scheduler.refusal(self.report_every_steps, self.max_steps):
            raise ValueError(f"scheduler.{refusal}")
        return self

    @property
    def mode(self) -> Literal["max", "min"]:
        """The direction as Ray Tune spells it."""
        return "max" if self.direction == "maximize" else "min"

    @property
    def aims(self) -> tuple[tuple[str, Direction], ...]:
        """Every objective's metric and direction; of one, or of several."""
        return tuple((one.metric, one.direction) for one in self.objectives) or ((self.metric, self.direction),)

    @property
    def aim_text(self) -> str:
        """`maximize dev/answer_correctness, minimize peak_memory_gb`."""
        return ", ".join(f"{direction} {metric}" for metric, direction in self.aims)

    @property
    def max_steps(self) -> int:
        """The most steps a trial can have: the maximum resource."""
        return int(max(self.values_of("train.max_steps")))

    def values_of(self, key: str) -> list[Any]:
        """Low and high, or every value, that the key can have in a trial; nothing where it is computed."""
        parameter = self.parameters.get(key)
        if parameter is None:
            return [self.base_config.get(key)]
        return parameter.ends() + ([self.base_config.get(key)] if parameter.when else [])

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Draw the parameters from an Optuna trial, one after the other; which come next depends on what was drawn.

        Where an expression has no value, it says so in the value's place, which no config takes: such a trial is
        infeasible, and keeps what was drawn.
        """
        drawn: dict[str, Any] = {}
        for key, parameter in self.parameters.items():
            if parameter.is_active(drawn):
                try:
                    drawn[key] = parameter.suggest(trial, key, lambda name: self._number(name, drawn))
                except UsageError as error:
                    drawn[key] = str(error)
        return drawn

    def baseline_params(self) -> dict[str, Any] | None:
        """The base config's own values as Optuna spells them; None where it lies outside the searched ranges."""
        there: dict[str, Any] = {}
        for key, parameter in self.parameters.items():
            if parameter.is_active(there):
                there[key] = self.base_config.get(key)
                if not self._can_be(key, there):
                    return None
        return self.params(there)

    def params(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those of `values` that a trial with them draws, as Optuna spells them."""
        there: dict[str, Any] = {}
        params: dict[str, Any] = {}
        for key, parameter in self.parameters.items():
            if not parameter.is_active(there):
                continue
            if parameter.type == "fixed":
                there[key] = parameter.ends()[0]
            elif key in values and parameter.is_drawn and parameter.contains(values[key]):
                there[key] = values[key]
                params[key] = parameter.label(values[key])
        return params

    def violations(self, config: RunConfig, metrics: Mapping[str, float]) -> dict[str, float]:
        """By how much each constraint is broken (0 or less: it holds), for those whose metrics are all there.

        One that has no value for these numbers, like a division by zero, is broken by 1.
        """
        found = {}
        for text in self.constraints:
            rule = Constraint(text)
            values = {name: float(config.get(name)) for name in rule.names if "." in name} | dict(metrics)
            if set(rule.names) <= set(values):
                try:
                    found[text] = rule.value(values.__getitem__)
                except UsageError:
                    found[text] = 1.0
        return found

    def config(self, overrides: Mapping[str, Any]) -> RunConfig:
        """The base config with sampled values in place. Raises UsageError where they do not go together."""
        return self.base_config.with_overrides(overrides)

    def _can_be(self, key: str, values: Mapping[str, Any]) -> bool:
        """Whether a trial with these values can have the one at `key`."""
        parameter = self.parameters[key]
        if parameter.expression is None:
            return parameter.contains(values[key])
        return bool(parameter.suggest(None, key, lambda name: self._number(name, values)) == values[key])

    def _number(self, key: str, drawn: Mapping[str, Any]) -> float:
        return float(drawn[key] if key in drawn else self.base_config.get(key))

    def refusal(self, overrides: Mapping[str, Any]) -> str | None:
        """Why a trial cannot begin: its values do not go together, or break a constraint that is about them alone."""
        try:
            return broken(self.violations(self.config(overrides), {}))
        except UsageError as error:
            return str(error)

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    def differences(self, other: "SearchSpace") -> list[str]:
        """What makes a study of `other` another study: `path: here -> there`. How much to run is not part of it."""
        mine, theirs = _flat(self.model_dump(mode="json")), _flat(other.model_dump(mode="json"))
        # The resolved base config says everything that the path to it and the overrides say.
        free = ("trials", "workers", "name", "base", "overrides", "stop", "max_failures", "trial_timeout_s")
        keys = [key for key in {**mine, **theirs} if key.split(".")[0] not in free]
        return [
            f"{key}: {mine.get(key, 'absent')} -> {theirs.get(key, 'absent')}"
            for key in keys
            if mine.get(key, ...) != theirs.get(key, ...)
        ]


def broken(violations: Mapping[str, float]) -> str | None:
    """The first constraint that is broken, and by how much."""
    return next((f"constraint {text!r} is broken by {by:.4g}" for text, by in violations.items() if by > 0), None)


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, by dotted path."""
    if not isinstance(values, dict):
        return {prefix.removesuffix("."): values}
    return {path: leaf for name, inner in values.items() for path, leaf in _flat(inner, f"{prefix}{name}.").items()}
