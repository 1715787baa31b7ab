"""The programs that the trials of a space can need: one config for each program key."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from podium.core.config import RunConfig, keys_with_role
from podium.core.config_sections import Role
from tuning.search.space import SearchSpace

MOST_WALKS = 10_000  # combinations of values that are looked at


def distinct_programs(space: SearchSpace, most: int) -> tuple[list[RunConfig], bool]:
    """Up to `most` configs with different program keys, and whether these are all that a trial can have.

    The corners come first: of every parameter the highest value, then the lowest, then those between.
    """
    found: dict[str, RunConfig] = {}
    for number, config in enumerate(_configs(space)):
        if number >= MOST_WALKS or (config.program_key not in found and len(found) >= most):
            return list(found.values()), False
        found.setdefault(config.program_key, config)
    return list(found.values()), True


def _configs(space: SearchSpace) -> Iterator[RunConfig]:
    """The base config, then one for each combination of values that can change the program."""
    yield space.base_config
    walk = _Walk(_relevant(space))
    while True:
        overrides = space.suggest(walk)
        if space.refusal(overrides) is None:
            yield space.config(overrides)
        if not walk.next():
            return


def _relevant(space: SearchSpace) -> set[str]:
    """The parameters that can change the program, by themselves or through an expression or a condition."""
    relevant = {*keys_with_role(Role.PROGRAM), "lora.dropout", "data.length_buckets"}
    for key, parameter in reversed(space.parameters.items()):  # a parameter comes after those that it depends on
        if key in relevant:
            relevant |= parameter.depends_on
    return relevant


@dataclass
class _Walk:
    """An Optuna trial's stand-in that goes through the combinations of values, one after the other."""

    relevant: set[str]
    chosen: list[int] = field(default_factory=list)  # the number of the option at each parameter drawn
    sizes: list[int] = field(default_factory=list)  # how many options each has
    at: int = 0

    def next(self) -> bool:
        """Go to the next combination; False if there is none."""
        while self.chosen and self.chosen[-1] + 1 >= self.sizes[len(self.chosen) - 1]:
            self.chosen.pop()
        self.sizes = self.sizes[: len(self.chosen)]
        self.at = 0
        if not self.chosen:
            return False
        self.chosen[-1] += 1
        return True

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        del step, log
        return float(self._option(name, [high, low]))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        del log
        return int(self._option(name, _corners_first(range(low, high + 1, step))))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._option(name, _corners_first(choices))

    def _option(self, name: str, options: Sequence[Any]) -> Any:
        if self.at == len(self.chosen):
            self.chosen.append(0)
            self.sizes.append(len(options) if name in self.relevant else 1)
        self.at += 1
        return options[self.chosen[self.at - 1]]


def _corners_first(values: Sequence[Any]) -> list[Any]:
    return [values[-1], *([values[0]] if len(values) > 1 else []), *values[1:-1]]
