"""A search space: a base config, the parameters that vary, and how to search them.

A space is a YAML file (`search_spaces/`). Everything in it is checked when it is loaded, so a mistake in the file never
makes a trial fail, and no parameter is silently ignored.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from podium.core.budgets.profiles import load_profile
from podium.core.config import RunConfig, same_value
from podium.core.config_sections import Section
from podium.core.errors import UsageError
from podium.core.yaml_text import to_yaml
from tuning.search.arithmetic import Constraint
from tuning.search.objectives import METRICS, OR_OWN, Direction, Objective, is_metric, is_own, with_primary_metric
from tuning.search.parameters import Parameter, SuggestingTrial, in_dependency_order, list_as_choice
from tuning.search.samplers import Sampler
from tuning.search.samplers.tpe import TpeSampler
from tuning.search.schedulers import Scheduler
from tuning.search.schedulers.asha import AshaScheduler
from tuning.search.stop_rule import StopRule
from tuning.search.worker_options import Workers


class SearchSpace(Section):
    """What a study searches, and how. `base_config` is the base config with `overrides` applied, fully resolved."""

    name: str
    base: str = Field(description="path to the base config, below the space's folder, home or the shipped files")
    base_config: RunConfig
    overrides: dict[str, Any] = Field({})
    metric: str = "dev/answer_correctness"
    direction: Direction
    objectives: tuple[Objective, ...] = Field((), description="two or more; the first one is `metric`")
    sampler: Sampler = TpeSampler()
    scheduler: Scheduler = AshaScheduler()
    trials: int = Field(ge=1)
    workers: Workers = Field(Workers(), description="auto, a number, or {count, cores, chips}")
    max_failures: int = Field(2, ge=0, description="how often a trial is retried after its process died")
    trial_timeout_s: float | None = Field(None, gt=0, description="end a trial after this many seconds on a worker")
    baseline: bool = Field(True, description="run the base config itself as trial 0")
    parameters: dict[str, Parameter] = Field(min_length=1)
    report_every_steps: int = Field(
        default_factory=lambda known: max(1, _most_steps(known["base_config"], known["parameters"]) // 6), ge=1
    )
    start_with: tuple[dict[str, Any], ...] = Field((), description="values to try first; missing ones are drawn")
    target: str | None = Field(
        None, description="budget profile of the submission; trials that do not fit there do not run"
    )
    stop: StopRule = StopRule()
    constraints: tuple[str, ...] = Field(
        (), description="like peak_memory_gb <= 16; a trial that breaks one is infeasible"
    )

    @field_validator("parameters", mode="before")
    @classmethod
    def _lists_are_choices(cls, parameters: Any) -> Any:
        if not isinstance(parameters, dict):
            return parameters
        return {key: list_as_choice(key, value) for key, value in parameters.items()}

    @field_validator("target")
    @classmethod
    def _target_has_an_accelerator(cls, target: str | None) -> str | None:
        if target is not None:
            try:
                found = load_profile(target, "target")
            except UsageError as error:
                raise ValueError(str(error)) from error
            if found.accelerator is None:
                raise ValueError(f"target={target!r} names no accelerator to compile for; leave it out")
        return target

    @field_validator("parameters")
    @classmethod
    def _in_order(cls, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
        if (steps := parameters.get("train.max_steps")) and steps.type == "computed":
            raise ValueError("train.max_steps cannot be computed, since it is the resource; fix it or search it")
        return in_dependency_order(parameters)

    @field_validator("sampler", "scheduler", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _natural_direction(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("objectives") and isinstance(values["objectives"], list | tuple):
            return with_primary_metric(values)
        if isinstance(values, dict) and "direction" not in values and not is_own(values.get("metric")):
            metric = values.get("metric", "dev/answer_correctness")
            values = {**values, "direction": METRICS.get(metric, "maximize") if isinstance(metric, str) else "maximize"}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.base_config.train.epochs is not None:
            raise ValueError("base_config has train.epochs, must have its number of steps; `load_space` finds it")
        if not is_metric(self.metric):
            raise ValueError(f"metric={self.metric!r}, must be one of {', '.join(METRICS)}{OR_OWN}")
        if refusal := self.scheduler.refusal(self.report_every_steps, self.max_steps):
            raise ValueError(f"scheduler.{refusal}")
        return self

    @property
    def mode(self) -> Literal["max", "min"]:
        """The direction in Ray Tune's terms."""
        return "max" if self.direction == "maximize" else "min"

    @property
    def aims(self) -> tuple[tuple[str, Direction], ...]:
        """The metric and direction of every objective."""
        return tuple((one.metric, one.direction) for one in self.objectives) or ((self.metric, self.direction),)

    @property
    def aim_text(self) -> str:
        """`maximize dev/answer_correctness, minimize peak_memory_gb`."""
        return ", ".join(f"{direction} {metric}" for metric, direction in self.aims)

    @property
    def max_steps(self) -> int:
        """The largest number of steps that a trial can have: the maximum resource."""
        return _most_steps(self.base_config, self.parameters)

    def values_of(self, key: str) -> list[Any]:
        """The values that the key can have in a trial: low and high, or every choice. Empty if it is computed."""
        return _values_of(key, self.base_config, self.parameters)

    def suggest(self, trial: SuggestingTrial) -> dict[str, Any]:
        """Draw the active parameters from an Optuna trial, one after the other; conditions see the values before them.

        If an expression has no value, its error message takes the place of the value. No config accepts that, so the
        trial is infeasible and keeps the values that were drawn.
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
        """The base config's own values in Optuna's representation; None if it lies outside the searched ranges."""
        active: dict[str, Any] = {}
        for key, parameter in self.parameters.items():
            if parameter.is_active(active):
                active[key] = self.base_config.get(key)
                if not self._can_be(key, active):
                    return None
        return self.params(active)

    def params(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values that a trial with `values` draws, in Optuna's representation."""
        active: dict[str, Any] = {}
        params: dict[str, Any] = {}
        for key, parameter in self.parameters.items():
            if not parameter.is_active(active):
                continue
            if parameter.type == "fixed":
                active[key] = parameter.ends()[0]
            elif key in values and parameter.is_drawn and parameter.contains(values[key]):
                active[key] = values[key]
                params[key] = parameter.label(values[key])
        return params

    def violations(self, config: RunConfig, metrics: Mapping[str, float]) -> dict[str, float]:
        """Constraint -> its violation (0 or less if it holds), for the constraints whose metrics are all in `metrics`.

        The violation of a constraint without a value, as after a division by zero, is 1.
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
        """The base config with sampled values in place. Raises UsageError if the values contradict each other."""
        return self.base_config.with_overrides(overrides)

    def _can_be(self, key: str, values: Mapping[str, Any]) -> bool:
        """Whether a trial can have the value at `key`, given the others."""
        parameter = self.parameters[key]
        if parameter.expression is None:
            return parameter.contains(values[key])
        return bool(parameter.computed(key, lambda name: self._number(name, values)) == values[key])

    def _number(self, key: str, drawn: Mapping[str, Any]) -> float:
        return float(drawn[key] if key in drawn else self.base_config.get(key))

    def refusal(self, overrides: Mapping[str, Any]) -> str | None:
        """Why a trial cannot begin, None if it can: its values contradict each other, or break a constraint."""
        try:
            return broken(self.violations(self.config(overrides), {}))
        except UsageError as error:
            return str(error)

    def to_yaml(self) -> str:
        return to_yaml(self.model_dump(mode="json"))

    def differences(self, other: "SearchSpace") -> list[str]:
        """The differences that make trials of `other` incomparable: `path: here -> there`.

        Keys that only say how much to run, and on what, are left out.
        """
        mine, theirs = _flat(self.model_dump(mode="json")), _flat(other.model_dump(mode="json"))
        # The resolved base config holds everything that its path and the overrides stand for.
        free = ("trials", "workers", "name", "base", "overrides", "stop", "max_failures", "trial_timeout_s", "target")
        keys = [key for key in {**mine, **theirs} if key.split(".")[0] not in free]
        return [
            f"{key}: {mine.get(key, 'absent')} -> {theirs.get(key, 'absent')}"
            for key in keys
            if not same_value(key.removeprefix("base_config."), mine.get(key, ...), theirs.get(key, ...))
        ]


def _values_of(key: str, base: RunConfig, parameters: Mapping[str, Parameter]) -> list[Any]:
    parameter = parameters.get(key)
    if parameter is None:
        return [base.get(key)]
    return parameter.ends() + ([base.get(key)] if parameter.when else [])


def _most_steps(base: RunConfig, parameters: Mapping[str, Parameter]) -> int:
    return int(max(steps or 1 for steps in _values_of("train.max_steps", base, parameters)))


def broken(violations: Mapping[str, float]) -> str | None:
    """The first constraint that is broken, and by how much; None if all hold."""
    return next((f"constraint {text!r} is broken by {by:.4g}" for text, by in violations.items() if by > 0), None)


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping by dotted path."""
    if not isinstance(values, dict):
        return {prefix.removesuffix("."): values}
    return {path: leaf for name, inner in values.items() for path, leaf in _flat(inner, f"{prefix}{name}.").items()}
