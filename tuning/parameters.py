"""One searched parameter: its range, how it is drawn, and which values it holds."""

import json
from typing import Any, Literal, Self

from pydantic import model_validator

from podium.core.config import RunConfig, Section

# Ray Tune's and others' spellings. Ends are inclusive here, whatever they were there.
SPELLINGS: dict[str, dict[str, Any]] = {
    "uniform": {"type": "float"},
    "loguniform": {"type": "float", "log": True},
    "randint": {"type": "int"},
    "choice": {"type": "categorical"},
}
NAMES = {"min": "low", "max": "high", "values": "choices"}


class Parameter(Section):
    """`float` and `int` have low, high (both inclusive), log, step; `categorical` has choices."""

    type: Literal["float", "int", "categorical"]
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    step: int | float | None = None
    choices: tuple[Any, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _other_spellings(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        for name, ours in NAMES.items():
            if name in values and ours in values:
                raise ValueError(f"{name!r} and {ours!r} are both given; keep one")
        values = {NAMES.get(name, name): value for name, value in values.items()}
        kind = values.get("type")
        return {**values, **SPELLINGS[kind]} if isinstance(kind, str) and kind in SPELLINGS else values

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.type == "categorical":
            self._check_choices()
        else:
            self._check_range()
        return self

    def _check_choices(self) -> None:
        if self.low is not None or self.high is not None or self.log or self.step is not None:
            raise ValueError("type categorical has choices, and no low, high, log or step")
        if self.choices is None or len(self.choices) < 2:
            raise ValueError(f"choices={self.choices}, must be at least two; a fixed value goes under overrides")
        if len({json.dumps(choice) for choice in self.choices}) < len(self.choices):
            raise ValueError(f"choices={self.choices}, must differ from each other")

    def _check_range(self) -> None:
        if self.choices is not None:
            raise ValueError(f"type {self.type} has low and high, and no choices")
        if self.low is None or self.high is None:
            raise ValueError(f"type {self.type} needs low and high")
        if not self.low < self.high:
            raise ValueError(
                f"empty range: low={self.low}, must be < high={self.high}; a fixed value goes under overrides"
            )
        if self.type == "int" and any(number != int(number) for number in (self.low, self.high, self.step or 1)):
            raise ValueError("type int needs whole numbers for low, high and step")
        if self.log and self.low <= 0:
            raise ValueError(f"low={self.low}, must be > 0 with log: true")
        if self.step is not None:
            self._check_step(self.low, self.high, self.step)

    def _check_step(self, low: float, high: float, step: float) -> None:
        if self.log:
            raise ValueError("log and step do not go together; keep one")
        if not 0 < step <= high - low:
            raise ValueError(f"step={step}, must be > 0 and <= high - low = {high - low}")
        # Optuna would lower `high` to the grid; we would rather have the range that was written.
        steps = (high - low) / step
        if abs(steps - round(steps)) > 1e-9 * max(1.0, steps):
            raise ValueError(f"step={step}, must divide high - low = {high - low}")

    def suggest(self, trial: Any, name: str) -> Any:
        """Draw from an Optuna trial."""
        if self.choices is not None:
            labels = [self.label(choice) for choice in self.choices]
            return self._plain(self.choices[labels.index(trial.suggest_categorical(name, labels))])
        if self.type == "int":
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(name, int(self.low or 0), int(self.high or 0), log=self.log, step=step)
        return trial.suggest_float(name, self.low, self.high, log=self.log, step=self.step)

    def label(self, value: Any) -> Any:
        """`value` as Optuna stores it: a list is not a choice there, its JSON is."""
        return json.dumps(value) if isinstance(value, list | tuple) else value

    def ends(self) -> list[Any]:
        """Low and high, or every choice."""
        return [self._plain(choice) for choice in self.choices] if self.choices is not None else [self.low, self.high]

    def contains(self, value: Any) -> bool:
        if self.choices is not None:
            return self.label(value) in [self.label(choice) for choice in self.choices]
        if self.low is None or self.high is None or not self.low <= value <= self.high:
            return False
        step = self.step or (1 if self.type == "int" else None)
        steps = (value - self.low) / step if step else 0.0
        return bool(abs(steps - round(steps)) < 1e-9)

    @staticmethod
    def _plain(value: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value


def field_type(key: str) -> Any:
    """The declared type of a dotted RunConfig key."""
    section, name = key.split(".")
    outer = RunConfig.model_fields[section].annotation
    return outer.model_fields[name].annotation  # type: ignore[union-attr]
