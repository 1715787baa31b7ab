"""Population-based training (Jaderberg et al. 2017, arXiv 1711.09846): which member copies which, and what changes.

All members stop at the same steps. There the worst members copy the weights of some of the best and continue with
hyperparameters near theirs. Every decision is a function of the scores and a seed, so a resumed sweep decides like an
uninterrupted one, on every backend. docs/decisions/003-population.md has the reasons.
"""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from podium.core.config import RunConfig
from podium.core.config_sections import Change
from podium.core.records import Record

if TYPE_CHECKING:
    from tuning.search.schedulers.pbt import PbtScheduler
    from tuning.search.space import SearchSpace

TRIES = 20  # attempts to find values that are feasible


class Mutation(Record):
    """At `step` a member copied the weights of trial `donor` and continued with `overrides`."""

    step: int
    donor: int
    overrides: dict[str, Any]
    donor_score: float
    score: float | None = None  # the member's own at that step; None if it had diverged


class Lineage(Record):
    """How a member's weights came about: the overrides of its first ancestor, and the changes since.

    It is a user attribute of the Optuna trial, beside the overrides that the trial drew itself.
    """

    root: dict[str, Any]
    changes: tuple[Change, ...] = ()
    mutations: tuple[Mutation, ...] = ()  # of this member
    lost: dict[int, str] = Field({})  # step that it should have reached -> why it did not

    def config(self, space: "SearchSpace") -> RunConfig:
        """The config of one run that trains the same weights. Raises UsageError if the root's values are infeasible."""
        changes = {"train.changes": [change.model_dump(mode="json") for change in self.changes]} if self.changes else {}
        return space.config({**self.root, **changes})

    def mutated_at(self, step: int) -> bool:
        return bool(self.mutations) and self.mutations[-1].step == step


@dataclass(frozen=True)
class Standing:
    """A member at a step where all stop. A larger `score` is better; None if the member did not reach the step."""

    number: int
    score: float | None
    keeps_own: bool = False  # it never copies another


def stops(interval: int, max_steps: int) -> list[int]:
    """The steps at which all members stop; the last one is the end of training."""
    return [*range(interval, max_steps, interval), max_steps]


def exploits(standings: Iterable[Standing], quantile: float, rng: random.Random) -> dict[int, int]:
    """Member -> the member that it copies.

    The worst `quantile` of the members with a score and all members without one copy a random member of the best
    `quantile`; a member never copies one that is not better than itself.
    """
    all_of_them = sorted(standings, key=lambda one: one.number)
    scored = [(one.score, one) for one in all_of_them if one.score is not None]
    ranked = [one for _, one in sorted(scored, key=lambda pair: (-pair[0], pair[1].number))]
    n = min(max(1, math.floor(quantile * len(ranked))), len(ranked) // 2)
    best, worst = ranked[: max(1, n)], ranked[len(ranked) - n :]
    chosen: dict[int, int] = {}
    for one in all_of_them if best else ():
        if one.keeps_own or not (one.score is None or one in worst):
            continue
        donor = rng.choice(best)
        if one.score is None or (donor.score or 0.0) > one.score:
            chosen[one.number] = donor.number
    return chosen


def explore(space: "SearchSpace", donor: RunConfig, options: "PbtScheduler", rng: random.Random) -> dict[str, Any]:
    """Feasible overrides near the donor's; the donor's own if none were found."""
    known = {key: donor.get(key) for key in space.parameters}
    trial = PerturbedTrial(space.params(known), options, rng)
    for _ in range(TRIES):
        overrides = space.suggest(trial)
        if space.refusal(overrides) is None:
            return overrides
    return known


def change_at(step: int, before: RunConfig, after: RunConfig, keys: Iterable[str]) -> Change | None:
    """The difference between two configs in these keys, as a change; None if there is none."""
    differing = {key: after.get(key) for key in keys if after.get(key) != before.get(key)}
    return Change(step=step, overrides=differing) if differing else None


class PerturbedTrial:
    """Has the `suggest` methods of an Optuna trial. They return a known value times a factor, or a new random value."""

    def __init__(self, known: Mapping[str, Any], options: "PbtScheduler", rng: random.Random) -> None:
        """`known` are values in Optuna's representation; a parameter without one gets a new random value."""
        self._known, self._options, self._rng = known, options, rng

    def suggest_float(
        self, name: str, low: float, high: float, *, log: bool = False, step: float | None = None
    ) -> float:
        if self._is_kept(name):
            value = float(self._known[name]) * self._rng.choice(self._options.factors)
        elif log:
            value = math.exp(self._rng.uniform(math.log(low), math.log(high)))
        else:
            value = self._rng.uniform(low, high)
        if step is not None:
            value = low + round((value - low) / step) * step
        return min(max(value, low), high)

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False, step: int = 1) -> int:
        if not self._is_kept(name):
            return int(self.suggest_float(name, low, high, log=log, step=step))
        known, factor = int(self._known[name]), self._rng.choice(self._options.factors)
        moved = max(step, abs(round(known * (factor - 1) / step)) * step)  # small numbers move too
        return min(max(known + (moved if factor > 1 else -moved), low), high)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._known[name] if self._is_kept(name) else self._rng.choice(choices)

    def _is_kept(self, name: str) -> bool:
        return self._rng.random() >= self._options.resample_probability and name in self._known
