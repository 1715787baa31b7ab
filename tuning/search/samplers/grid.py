"""Sampler `grid`."""

import random
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from podium.core.errors import UsageError
from tuning.search.parameters import Parameter
from tuning.search.samplers.base import BaseOptions, SampledSpace, fixed

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
MOST_POINTS = 10_000  # sampling is better than a larger grid


class GridSampler(BaseOptions):
    """Every combination once, in an order that the seed shuffles; the sweep ends when all were tried."""

    name: Literal["grid"] = "grid"

    def build(self, seed: int, index: int, space: SampledSpace) -> "BaseSampler":
        return fixed(grid_point(space, self.seed, max(0, index)), seed)

    def size(self, space: SampledSpace) -> int:
        return grid_size(space)


def grid_size(space: SampledSpace) -> int:
    """The number of combinations. Raises UsageError for a range without a step, and for a grid that is too large."""
    return len(_grid(space))


def grid_point(space: SampledSpace, seed: int, index: int) -> dict[str, Any]:
    """The parameters of proposal `index`, in Optuna's representation."""
    points = _grid(space)
    order = list(range(len(points)))
    random.Random(seed).shuffle(order)
    return space.params(points[order[index % len(order)]])


def _grid(space: SampledSpace) -> list[dict[str, Any]]:
    """The values of every combination, in the order of the file."""
    found = list(islice(_combinations(list(space.parameters.items()), {}), MOST_POINTS + 1))
    if len(found) > MOST_POINTS:
        raise UsageError(f"sampler grid: more than {MOST_POINTS} combinations; use fewer values, or sampler random")
    return found


def _combinations(left: list[tuple[str, Parameter]], values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of the parameters in `left`, given the values of those before them."""
    if not left:
        yield values
        return
    (key, parameter), *rest = left
    if parameter.type == "computed" or not parameter.is_active(values):
        yield from _combinations(rest, values)
        return
    for value in parameter.ends() if parameter.type == "fixed" else _steps(key, parameter):
        yield from _combinations(rest, {**values, key: value})


def _steps(key: str, parameter: Parameter) -> Iterator[Any]:
    if parameter.n_values is None:
        raise UsageError(f"sampler grid: {key} is {parameter}; give it a step or choices, or use sampler qmc")
    return map(parameter.nth, range(parameter.n_values))
