"""One parameter of a search space: its range or choices, its condition, and how it is drawn."""

import json
import math
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Protocol, Self, Union, get_args, get_origin

from pydantic import Field, field_validator, model_validator

from podium.core.config import RunConfig, all_keys, is_own
from podium.core.config_sections import Section
from tuning.search.arithmetic import Expression, Lookup

# Names that Ray Tune and other libraries use. Here both ends are always inclusive.
SPELLINGS: dict[str, dict[str, Any]] = {
    "uniform": {"type": "float"},
    "loguniform": {"type": "float", "log": True},
    "randint": {"type": "int"},
    "choice": {"type": "categorical"},
}
MOST_STEPS = 10**9
NAMES = {"min": "low", "max": "high", "values": "choices"}


class SuggestingTrial(Protocol):
    """The methods of an Optuna trial that draw values."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...
    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...
    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


class Parameter(Section):
    """A parameter of one of five types.

    `float` and `int` have low, high (both inclusive), log and step. `categorical` has choices; if they are `ordered`,
    the sampler treats them as a scale. In a file it may be just the list of its choices. `fixed` has one choice and
    `computed` an expression; neither is drawn. In a file these two are the value itself, or `value:` beside a `when:`;
    an expression is a text that begins with "=".

    `when` maps other parameters to the values for which this one is active. If one of these parameters is inactive,
    this one is inactive, too.
    """

    type: Literal["float", "int", "categorical", "fixed", "computed"]
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    step: int | float | None = None
    choices: tuple[Any, ...] | None = None
    ordered: bool = False
    expression: str | None = None
    when: dict[str, tuple[Any, ...]] = Field({})

    @field_validator("when", mode="before")
    @classmethod
    def _one_value_or_several(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: tuple(value) if isinstance(value, list | tuple) else (value,) for key, value in values.items()}

    @model_validator(mode="before")
    @classmethod
    def _other_spellings(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return _not_drawn(values)
        if "value" in values and "type" not in values:
            others = {name: value for name, value in values.items() if name != "value"}
            return {**_not_drawn(values["value"]), **others}
        for name, ours in NAMES.items():
            if name in values and ours in values:
                raise ValueError(f"{name!r} and {ours!r} are both given; keep one")
        values = {NAMES.get(name, name): value for name, value in values.items()}
        kind = values.get("type")
        return {**values, **SPELLINGS[kind]} if isinstance(kind, str) and kind in SPELLINGS else values

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.ordered and self.type != "categorical":
            raise ValueError(f"ordered: true with type {self.type}, must be with type categorical; leave it out")
        if (self.expression is not None) != (self.type == "computed"):
            raise ValueError('write an expression as the value itself, like "=0.1 * train.max_steps"')
        if self.type == "categorical":
            self._check_choices()
        elif self.type in ("int", "float"):
            self._check_range()
        elif self.type == "computed":
            Expression(self.expression or "")
        elif len(self.choices or ()) != 1:
            raise ValueError("type fixed has one value")
        return self

    def _check_choices(self) -> None:
        if self.low is not None or self.high is not None or self.log or self.step is not None:
            raise ValueError("type categorical has choices, not low, high, log or step; remove those")
        if self.choices is None or len(self.choices) < 2:
            raise ValueError(f"choices={self.choices}, must be at least two; write a fixed value as value: X")
        if len({json.dumps(choice) for choice in self.choices}) < len(self.choices):
            raise ValueError(f"choices={self.choices}, must differ from each other")

    def _check_range(self) -> None:
        if self.choices is not None:
            raise ValueError(f"type {self.type} has low and high, not choices; remove the choices")
        if self.low is None or self.high is None:
            raise ValueError(f"type {self.type} needs low and high")
        if not self.low < self.high:
            raise ValueError(
                f"empty range: low={self.low}, must be < high={self.high}; write a fixed value as value: X"
            )
        if self.type == "int" and any(number != int(number) for number in (self.low, self.high, self.step or 1)):
            raise ValueError("type int needs whole numbers for low, high and step")
        if self.log and self.low <= 0:
            raise ValueError(f"low={self.low}, must be > 0 with log: true")
        if self.step is not None:
            self._check_step(self.low, self.high, self.step)

    def _check_step(self, low: float, high: float, step: float) -> None:
        if self.log:
            raise ValueError("log and step are both given; keep one")
        if not 0 < step <= high - low:
            raise ValueError(f"step={step}, must be > 0 and <= high - low = {high - low}")
        # Optuna would silently lower `high` to the nearest step.
        steps = (high - low) / step
        if steps > MOST_STEPS:
            raise ValueError(f"step={step}, must divide high - low = {high - low} into at most {MOST_STEPS} steps")
        if abs(steps - round(steps)) > 1e-9 * max(1.0, steps):
            raise ValueError(f"step={step}, must divide high - low = {high - low}")

    @property
    def is_drawn(self) -> bool:
        return self.type not in ("fixed", "computed")

    @property
    def depends_on(self) -> set[str]:
        """The config keys in its condition and its expression; they must have their values first."""
        return {*self.when, *(Expression(self.expression).names if self.expression is not None else ())}

    def is_active(self, others: Mapping[str, Any]) -> bool:
        """Whether its `when` holds, given the values of the active parameters before it."""
        return all(key in others and _among(others[key], values) for key, values in self.when.items())

    def suggest(self, trial: SuggestingTrial, name: str, lookup: Lookup) -> Any:
        """Draw a value from a trial; `lookup` returns the numbers that an expression needs."""
        if self.expression is not None:
            return self.computed(name, lookup)
        if self.type == "fixed":
            return self.ends()[0]
        if self.choices is not None:
            return self.ends()[self._suggest_choice(trial, name)]
        if self.type == "int":
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(name, int(self.low or 0), int(self.high or 0), log=self.log, step=step)
        return trial.suggest_float(name, float(self.low or 0), float(self.high or 0), log=self.log, step=self.step)

    def label(self, value: Any) -> Any:
        """`value` as Optuna stores it: the index of an ordered choice, the JSON of a list, else the value itself."""
        if self.ordered:
            return [_text(choice) for choice in self.choices or ()].index(_text(value))
        return json.dumps(value) if isinstance(value, list | tuple) else value

    def ends(self) -> list[Any]:
        """Low and high, or every choice; nothing for an expression."""
        if self.choices is not None:
            return [self._plain(choice) for choice in self.choices]
        return [self.low, self.high] if self.is_drawn else []

    @property
    def n_values(self) -> int | None:
        """How many values it can have; None if they cannot be counted."""
        if self.choices is not None:
            return len(self.choices)
        step = self.step or (1 if self.type == "int" else None)
        if step is None or self.low is None or self.high is None:
            return None
        return round((self.high - self.low) / step) + 1

    def nth(self, number: int) -> Any:
        """The value of that number, from 0 and below `n_values`."""
        if self.choices is not None:
            return self.ends()[number]
        value = min((self.low or 0) + (self.step or 1) * number, self.high or 0)
        return int(value) if self.type == "int" else value

    def at(self, place: float) -> Any:
        """The value at a place in [0, 1) of its range; every value has an equal share of the places."""
        if self.n_values and not self.log:
            return self.nth(int(place * self.n_values))
        low, high = float(self.low or 0), float(self.high or 0)
        if not self.log:
            return low + place * (high - low)
        if self.type == "int":
            low, high = low - 0.5, high + 0.5
        value = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
        return min(max(round(value), int(self.low or 0)), int(self.high or 0)) if self.type == "int" else value

    def contains(self, value: Any) -> bool:
        """Whether it can have the value; False for an expression, whose value depends on other parameters."""
        if self.choices is not None:
            return _among(value, self.choices)
        if self.low is None or self.high is None or not self.low <= value <= self.high:
            return False
        step = self.step or (1 if self.type == "int" else None)
        steps = (value - self.low) / step if step else 0.0
        return bool(abs(steps - round(steps)) < 1e-9)

    def __str__(self) -> str:
        """`0.0001 to 0.03 (log)`, `one of 4, 8` or `=0.1 * train.max_steps`, with the condition if there is one."""
        condition = " and ".join(f"{key} is {' or '.join(map(str, values))}" for key, values in self.when.items())
        return f"{self._range()}, when {condition}" if condition else self._range()

    def _range(self) -> str:
        if self.expression is not None:
            return f"={self.expression}"
        if self.choices is not None:
            shown = ", ".join(map(str, self.choices))
            return shown if self.type == "fixed" else f"one of {shown}{' (ordered)' if self.ordered else ''}"
        return f"{self.low} to {self.high}{' (log)' if self.log else f' by {self.step}' if self.step else ''}"

    def _suggest_choice(self, trial: SuggestingTrial, name: str) -> int:
        choices = self.choices or ()
        if self.ordered:
            return int(trial.suggest_int(name, 0, len(choices) - 1))
        labels = [self.label(choice) for choice in choices]
        return labels.index(trial.suggest_categorical(name, labels))

    def computed(self, name: str, lookup: Lookup) -> int | float:
        """The value of the expression; raises UsageError if it has none."""
        value = Expression(self.expression or "").value(lookup)
        # Rounded down; 0.29 * 100 is 28.999999999999996 but must give 29.
        return math.floor(value + 1e-9) if field_type(name) is int else value

    @staticmethod
    def _plain(value: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value


def in_dependency_order(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """The parameters sorted so that each comes after those it depends on, otherwise in the given order.

    Raises ValueError if some depend on each other.
    """
    left, ordered = dict(parameters), {}
    while left:
        ready = next((key for key, parameter in left.items() if not parameter.depends_on & left.keys()), None)
        if ready is None:
            raise ValueError(f"{', '.join(left)} depend on each other; remove one of the dependencies")
        ordered[ready] = left.pop(ready)
    return ordered


def field_type(key: str) -> Any:
    """The declared type of a dotted RunConfig key; of one that may be `auto` or null as well, that of its numbers.

    `float` for a key of the user's own, which may be computed.
    """
    if is_own(key):
        return float
    section, name = key.split(".")
    outer = RunConfig.model_fields[section].annotation
    declared = outer.model_fields[name].annotation  # type: ignore[union-attr]
    if get_origin(declared) not in (Union, UnionType):
        return declared
    kinds = [get_args(part)[0] if get_origin(part) is Annotated else part for part in get_args(declared)]
    return next((kind for kind in kinds if kind in (int, float)), declared)


def list_as_choice(key: str, value: Any) -> Any:
    """A parameter as its file has it, with a list spelled out as a choice: `[8, 16]` is one of 8 and 16.

    Where the key's own value is a list, as that of lora.targets, a list of lists is the choice.
    """
    if not isinstance(value, list | tuple):
        return value
    has_lists = any(isinstance(one, list | tuple) for one in value)
    return value if _takes_a_list(key) and not has_lists else {"type": "categorical", "choices": value}


def _takes_a_list(key: str) -> bool:
    declared = field_type(key) if key in all_keys() else None
    return any(get_origin(part) is tuple for part in (declared, *get_args(declared)))


def _not_drawn(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value.startswith("="):
        return {"type": "computed", "expression": value.removeprefix("=").strip()}
    return {"type": "fixed", "choices": (value,)}


def _among(value: Any, choices: tuple[Any, ...]) -> bool:
    return _text(value) in [_text(choice) for choice in choices]


def _text(value: Any) -> str:
    """A text that is equal for equal values: a list equals a tuple and 8 equals 8.0, but 1 does not equal true."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)
