"""Configurations that follow from their number alone: a grid, and a sequence that fills the space evenly."""

import random
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from podium.core.errors import UsageError

if TYPE_CHECKING:
    from tuning.parameters import Parameter
    from tuning.space import SearchSpace

MOST_POINTS = 10_000  # of a grid; who can try that many wants another sampler


def grid_size(space: "SearchSpace") -> int:
    """Raises UsageError for a range without a step, and for a grid that is too large."""
    return len(_grid(space))


def grid_point(space: "SearchSpace", seed: int, index: int) -> dict[str, Any]:
    """What the grid's trial number `index` draws, as Optuna spells it."""
    points = _grid(space)
    order = list(range(len(points)))
    random.Random(seed).shuffle(order)
    return space.params(points[order[index % len(order)]])


def sobol_point(space: "SearchSpace", seed: int, index: int) -> dict[str, Any]:
    """What point `index` of a scrambled Sobol sequence stands for, as Optuna spells it."""
    drawn = [key for key, parameter in space.parameters.items() if parameter.is_drawn]
    coordinates = dict(zip(drawn, _sobol(len(drawn), seed, index), strict=True))
    # Those of parameters that turn out not to be there are dropped.
    return space.params({key: space.parameters[key].at(coordinates[key]) for key in drawn})


def _sobol(dimensions: int, seed: int, index: int) -> list[float]:
    """In [0, 1), one a dimension (Sobol 1967, scrambled by Owen 1998)."""
    from scipy.stats.qmc import Sobol

    sequence = Sobol(dimensions, scramble=True, rng=seed)
    if index:
        sequence.fast_forward(index)
    return [float(value) for value in sequence.random(1)[0]]


def _grid(space: "SearchSpace") -> list[dict[str, Any]]:
    """The values of every combination, in the order of the file."""
    found = list(islice(_combinations(list(space.parameters.items()), {}), MOST_POINTS + 1))
    if len(found) > MOST_POINTS:
        raise UsageError(f"sampler grid: more than {MOST_POINTS} combinations; use fewer values, or sampler random")
    return found


def _combinations(left: list[tuple[str, "Parameter"]], values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of the parameters in `left`, given the values of those before them."""
    if not left:
        yield values
        return
    (key, parameter), *rest = left
    if parameter.type == "computed" or not parameter.is_there(values):
        yield from _combinations(rest, values)
        return
    for value in parameter.ends() if parameter.type == "fixed" else _steps(key, parameter):
        yield from _combinations(rest, {**values, key: value})


def _steps(key: str, parameter: "Parameter") -> list[Any]:
    if (values := parameter.steps()) is None:
        raise UsageError(f"sampler grid: {key} is {parameter}; give it a step or choices, or use sampler qmc")
    return values
