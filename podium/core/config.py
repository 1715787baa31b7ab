"""`RunConfig`: the complete configuration of a run, as one frozen value.

config_sections.py has its sections and every default. A search-space key is a dotted path into it. Each field has a
role: `PROGRAM` fields change a shape or the graph and make up the program key; `TRACED` fields enter the compiled step
as arrays; the others have no effect on a compiled program.
"""

import difflib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from podium.core.config_sections import (
    BudgetConfig,
    DataConfig,
    DeviceConfig,
    EvalConfig,
    GenerateConfig,
    LoraConfig,
    ModelConfig,
    Role,
    Section,
    TrainConfig,
)
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_text
from podium.core.hashing import sha256_json
from podium.core.plain_values import Unreadable
from podium.core.redaction import shown
from podium.core.yaml_text import parse_yaml, to_yaml

OWN = re.compile(r"own\.[A-Za-z_]\w*", re.ASCII)
# What pydantic puts at the end of the place of an error in a field that takes a number or "auto".
INT_TAGS, AUTO_TAG = ("int", "constrained-int"), "literal['auto']"


class RunConfig(Section):
    """The configuration of one run, whether of the command line, of a trial or of a submission."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    lora: LoraConfig = LoraConfig()
    train: TrainConfig = TrainConfig()
    generate: GenerateConfig = GenerateConfig()
    eval: EvalConfig = EvalConfig()
    budget: BudgetConfig = BudgetConfig()
    device: DeviceConfig = DeviceConfig()
    own: dict[str, JsonValue] = Field(
        {},
        exclude_if=lambda values: not values,  # so that a config without any keeps its hash
        description="values of your own, for a training function of your own; Podium's trainer refuses them",
    )

    @model_validator(mode="after")
    def _only_a_frozen_base_is_int8(self) -> Self:
        if self.model.base_dtype == "int8" and not self.lora.enabled:
            raise ValueError(
                "model.base_dtype='int8' with lora.enabled=false: int8 kernels cannot be trained; "
                "set lora.enabled=true or model.base_dtype=auto"
            )
        return self

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        if self.train.max_steps is not None and self.train.warmup_steps > self.train.max_steps:
            raise ValueError(
                f"train.warmup_steps={self.train.warmup_steps}, must be <= train.max_steps={self.train.max_steps}"
            )
        return self

    @model_validator(mode="after")
    def _changes_are_possible(self) -> Self:
        steps = [change.step for change in self.train.changes]
        if steps != sorted(set(steps)):
            raise ValueError(f"train.changes at steps {steps}, must be in ascending order without repeats")
        for change in self.train.changes:
            if fixed := [key for key in change.overrides if key not in changeable_keys()]:
                raise ValueError(
                    f"train.changes at step {change.step} holds {fixed[0]}, which cannot change during a run; "
                    "choose a traced key, such as train.learning_rate or train.weight_decay"
                )
            try:
                self.at(change.step)
            except UsageError as error:
                raise ValueError(f"train.changes at step {change.step}: {error}") from error
        return self

    def at(self, step: int) -> Self:
        """This config after `step` steps: train.changes up to that step are applied, and later ones are dropped."""
        made = [change.overrides for change in self.train.changes if change.step <= step]
        overrides = {key: value for values in made for key, value in values.items()}
        return self.with_overrides({**overrides, "train.changes": ()}) if self.train.changes else self

    def with_overrides(self, overrides: Mapping[str, Any], where: str = "overrides") -> Self:
        """This config with dotted keys replaced: `{"train.learning_rate": 1e-3}`.

        Raises:
            UsageError: a key is unknown, or a value has the wrong type or is out of range; it begins with `where`.
        """
        values = self.model_dump(mode="json", exclude_unset=True)  # a default that was not set gives way to its rival
        for key, value in overrides.items():
            check_key(key)
            section, name = key.split(".")
            values.setdefault(section, {})[name] = value
        return self.parse(values, where)

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str) -> Self:
        """A config from its values. Raises UsageError, which begins with `where`: unknown key or wrong value."""
        for section, fields in values.items():
            for name in fields if section in cls.model_fields and isinstance(fields, dict) else ():
                _check_key(f"{section}.{name}", where)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise UsageError(f"{where}: {first_problem(error)}") from error

    def get(self, key: str) -> Any:
        """The value at a dotted key. Raises UsageError for an unknown key."""
        check_key(key)
        section, name = key.split(".")
        return self.own.get(name) if section == "own" else getattr(getattr(self, section), name)

    def to_yaml(self) -> str:
        """Every field as YAML, defaults included."""
        return to_yaml(self.model_dump(mode="json"))

    @property
    def steps(self) -> int:
        """train.max_steps. Raises PodiumError, an internal error: train.epochs has not been resolved."""
        if self.train.max_steps is None:
            raise PodiumError(f"internal error: train.epochs={self.train.epochs}, must be resolved before this point")
        return self.train.max_steps

    @property
    def hash(self) -> str:
        return sha256_json(self.model_dump(mode="json"))

    @property
    def program_key(self) -> str:
        """Twelve hex digits; two runs can share compiled programs exactly if their keys are equal."""
        values = {key: self.get(key) for key in keys_with_role(Role.PROGRAM)}
        if not self.lora.enabled:  # then the LoRA fields have no effect on the program
            values = {key: value for key, value in values.items() if not key.startswith("lora.")}
        elif self.has_dropout:  # the rate itself is traced
            values["lora.dropout"] = True
        return sha256_json(values)[:12]

    @property
    def has_dropout(self) -> bool:
        """Whether any step has LoRA dropout; if none has, the program contains no mask."""
        later = [change.overrides.get("lora.dropout", 0.0) for change in self.train.changes]
        return self.lora.enabled and any(rate > 0 for rate in (self.lora.dropout, *later))

    def traced(self) -> dict[str, Any]:
        """The values that enter the compiled step as arrays, by dotted key."""
        return {key: self.get(key) for key in keys_with_role(Role.TRACED)}


@cache
def all_keys() -> tuple[str, ...]:
    return tuple(f"{section}.{name}" for section, name, _ in _fields())


def keys_with_role(role: Role) -> list[str]:
    return [f"{section}.{name}" for section, name, found in _fields() if found is role]


def changeable_keys() -> list[str]:
    """The keys that train.changes may change: traced keys, except those of the data order and the schedule's length."""
    return [key for key in keys_with_role(Role.TRACED) if key not in ("train.seed", "train.max_steps")]


def same_value(key: str, one: Any, other: Any) -> bool:
    """Whether two values of a key mean the same. The layouts auto and steps do, wherever steps is not refused."""
    return one == other or (key == "data.layout" and {one, other} == {"auto", "steps"})


def is_own(key: str) -> bool:
    """Whether it is a key of the user's own, for a training function of the user's own: `own.hidden_size`."""
    return OWN.fullmatch(key) is not None


def check_key(key: str) -> None:
    """Raises UsageError, naming the nearest known key, when RunConfig has no such dotted key."""
    if key not in all_keys() and not is_own(key):
        near = difflib.get_close_matches(key, all_keys(), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(all_keys())}"
        raise UsageError(f"unknown config key {key!r}; {hint}")


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Read a YAML config, with the overrides of `--set`.

    Raises:
        UsageError: a missing or malformed file, an unknown key or a wrong value; it begins with the path or `--set`.
    """
    config = parse_config(load_yaml(path), str(path))
    return config.with_overrides(overrides, "--set") if overrides else config


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping. Raises UsageError if the file is missing or holds anything else."""
    try:
        values = parse_yaml(read_text(path))
    except Unreadable as error:
        raise UsageError(f"{path}{f':{error.line}' if error.line else ''}: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path}: holds {type(values).__name__}, must be a mapping of keys to values")
    return values


def parse_config(values: Mapping[str, Any], where: str) -> RunConfig:
    """A config from its values. Raises UsageError, which begins with `where`, for an unknown key or a wrong value."""
    return RunConfig.parse(values, where)


def parse_assignment(text: str) -> tuple[str, Any]:
    """Parse `train.max_steps=50` to ("train.max_steps", 50); the value is YAML. Raises UsageError."""
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text!r}: must be key=value, such as train.max_steps=50")
    check_key(key)
    try:
        return key, parse_yaml(value)
    except Unreadable as error:
        raise UsageError(f"--set {text!r}: {error}; quote the value") from error


# Rules that pydantic words in terms of Python.
PLAIN_RULES = {
    "tuple_type": "must be a list, such as [a, b]",
    "dict_type": "must be keys with values",
    "model_type": "must be keys with values",
}


def rule_of(message: str) -> str:
    """A message of pydantic as a rule: `must be less than 1`, where pydantic has `Input should be less than 1`."""
    rule = message.removeprefix("Value error, ").replace("Input should", "must", 1)
    return rule.split(", unable to parse")[0]


def first_problem(error: ValidationError) -> str:
    """The first problem of a pydantic error as text: dotted key, value, rule."""
    # A size that is neither a number nor "auto" has two errors: of the number, and of the word.
    problems = [one for one in error.errors() if one["loc"][-1:] != (AUTO_TAG,)]
    # A misspelled key is also a missing one; its own name says more.
    first = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
    place = ".".join(str(part) for part in first["loc"] if part not in INT_TAGS)
    or_auto = ", or auto" if first["loc"][-1:] and first["loc"][-1] in INT_TAGS else ""
    message = PLAIN_RULES.get(first["type"], rule_of(first["msg"]) + or_auto)
    if first["type"] == "missing":
        return f"{place} is missing; add it"
    if first["type"] == "extra_forbidden":
        return f"unknown key {place!r}; remove it or check its spelling"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if not place or message.startswith(f"{place}."):  # a rule on several keys, which names them itself
        return f"{message}{more}"
    return f"{place}={shown(first['input'])}: {message}{more}"


def _check_key(key: str, where: str) -> None:
    try:
        check_key(key)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


@cache  # a sweep checks about a hundred keys per trial, which took 20 ms without the cache
def _fields() -> tuple[tuple[str, str, Role | None], ...]:
    return tuple(
        (section, name, next((item for item in field.metadata if isinstance(item, Role)), None))
        for section, outer in RunConfig.model_fields.items()
        if isinstance(outer.annotation, type) and issubclass(outer.annotation, Section)
        for name, field in outer.annotation.model_fields.items()
    )
