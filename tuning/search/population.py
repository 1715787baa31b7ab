"""Population-based training (Jaderberg et al. 2017, arXiv 1711.09846): who copies whom, and what then changes.

All members stop at the same steps. There the worst take over the weights of some of the best and go on with
hyperparameters near theirs. Everything here follows from the scores and a seed, so that a resumed sweep, on whichever
backend, decides as an undisturbed one. docs/decisions/003-population.md says why it is so.
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

TRIES = 20  # to find values that go together


class Mutation(Record):
    """At `step` a member took over the weights of trial `donor`, and went on with `overrides`."""

    step: int
    donor: int
    overrides: dict[str, Any]
    donor_score: float
    score: float | None = None  # its own then; none where it had diverged


class Lineage(Record):
    """What made a member's parameters: what the first of its ancestors drew, and the changes since.

    It is a user attribute of the Optuna trial, beside the overrides which that trial drew for itself.
    """

    root: dict[str, Any]
    changes: tuple[Change, ...] = ()
    mutations: tuple[Mutation, ...] = ()  # of this member
    lost: dict[int, str] = Field({})  # by the step that it should have come to: why it did not

    def config(self, space: "SearchSpace") -> RunConfig:
        """The one run that has the same parameters. Raises UsageError where the root's values do not go together."""
        changes = {"train.changes": [change.model_dump(mode="json") for change in self.changes]} if self.changes else {}
        return space.config({**self.root, **changes})

    def mutated_at(self, step: int) -> bool:
        return bool(self.mutations) and self.mutations[-1].step == step


@dataclass(frozen=True)
class Standing:
    """A member where all stopped: `score` is better when larger, None where it did not come so far."""

    number: int
    score: float | None
    keeps_own: bool = False  # it copies nobody


def stops(interval: int, max_steps: int) -> list[int]:
    """The steps at which all members meet; the last is the end."""
    return [*range(interval, max_steps, interval), max_steps]


def exploits(standings: Iterable[Standing], quantile: float, rng: random.Random) -> dict[int, int]:
    """Who copies whom: the worst `quantile` of those with a score, and all without one, each a member of the best.

    Nobody copies what is not better than itself.
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
    """Overrides near the donor's that the space allows; the donor's own where none were found."""
    known = {key: donor.get(key) for key in space.parameters}
    near = PerturbedTrial(space.params(known), options, rng)
    for _ in range(TRIES):
        overrides = space.suggest(near)
        if space.refusal(overrides) is None:
            return overrides
    return known


def change_at(step: int, before: RunConfig, after: RunConfig, keys: Iterable[str]) -> Change | None:
    """What differs between two configs in these keys, as a change; None where nothing does."""
    differing = {key: after.get(key) for key in keys if after.get(key) != before.get(key)}
    return Change(step=step, overrides=differing) if differing else None


class PerturbedTrial:
    """Draws as an Optuna trial does, near known values: some times one of the factors, some anew."""

    def __init__(self, known: Mapping[str, Any], options: "PbtScheduler", rng: random.Random) -> None:
        """`known` as Optuna spells it; what is not among it is drawn anew."""
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
