"""Simulated searches: real samplers, schedulers and bridges, but losses from tables and a simulated clock.

An arm is one way to search. It proposes trials and receives their reports in the order in which Ray Tune would deliver
them. `simulate` runs the trials of an arm on one or more workers.
"""

import heapq
import os
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

import numpy as np
import optuna
from ray.tune.search import Searcher

from podium.core.records import Report
from podium.core.states import State
from tuning.bridge.searcher import OptunaBridge
from tuning.protocol import Job, to_result
from tuning.search.load import parse_space
from tuning.search.schedulers.replay import SchedulerTrial
from tuning.search.space import SearchSpace

METRIC = "train/loss"
T = TypeVar("T")


@dataclass(frozen=True)
class Curve:
    """A configuration trained to the end: `reports` are (step, loss); with `diverges` the last is a divergence."""

    reports: Sequence[tuple[int, float]]
    seconds: float = 1.0  # for all reports
    diverges: bool = False


@dataclass(frozen=True)
class Outcome:
    """A trial that ended. `loss` is None if it did not reach the last step, or diverged there."""

    params: Mapping[str, Any]
    loss: float | None
    steps: int
    diverged: bool = False


class Arm(Protocol):
    def ask(self, key: str) -> dict[str, Any]:
        """Propose the parameters of a new trial with the id `key`."""
        ...

    def report(self, key: str, step: int, loss: float | None, last: bool) -> bool:
        """Whether the trial continues after this report. A loss of None is a divergence, which ends the trial."""
        ...


class OptunaAlone:
    """Optuna's ask and tell without a scheduler: all trials run to the end."""

    def __init__(self, sampler: Any, distributions: Mapping[str, Any]) -> None:
        self._study = optuna.create_study(sampler=sampler)
        self._distributions = dict(distributions)
        self._trials: dict[str, Any] = {}

    def ask(self, key: str) -> dict[str, Any]:
        self._trials[key] = self._study.ask(self._distributions)
        return dict(self._trials[key].params)

    def report(self, key: str, step: int, loss: float | None, last: bool) -> bool:  # noqa: ARG002
        if last:
            self._study.tell(self._trials.pop(key), loss)
        return not last


class SearcherArm:
    """A searcher and a scheduler, driven as Ray Tune's controller drives them."""

    def __init__(self, searcher: Searcher, scheduler: Any) -> None:
        self._searcher, self._scheduler = searcher, scheduler
        self._trials: dict[str, SchedulerTrial] = {}

    def ask(self, key: str) -> dict[str, Any]:
        config = self._searcher.suggest(key)
        self._trials[key] = SchedulerTrial(key, config)
        self._scheduler.on_trial_add(None, self._trials[key])
        return self.params(config)

    def report(self, key: str, step: int, loss: float | None, last: bool) -> bool:
        trial, result = self._trials[key], self.result(step, loss, last)
        if result["done"]:
            self._scheduler.on_trial_complete(None, trial, result)
        elif self._scheduler.on_trial_result(None, trial, result) != "STOP":
            self._searcher.on_trial_result(key, result)
            return True
        self._searcher.on_trial_complete(key, result)
        return False

    def params(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return dict(config)

    def result(self, step: int, loss: float | None, last: bool) -> dict[str, Any]:
        return {"step": step, "training_iteration": step, "done": last, METRIC: loss}


class PodiumArm(SearcherArm):
    """Our bridge and our scheduler, with an in-memory study."""

    def __init__(self, space: SearchSpace, trials: int, bridge: type[OptunaBridge] = OptunaBridge) -> None:
        study = optuna.create_study(study_name="simulated", directions=[direction for _, direction in space.aims])
        scheduler = space.scheduler.build(space.metric, space.mode, space.report_every_steps, space.max_steps)
        super().__init__(bridge(study, space, trials), scheduler)
        self._keys = list(space.parameters)

    def params(self, config: Mapping[str, Any]) -> dict[str, Any]:
        job = Job.from_config(config)
        return {key: job.config.get(key) for key in self._keys}

    def result(self, step: int, loss: float | None, last: bool) -> dict[str, Any]:
        if loss is None:
            return to_result(Report(step=step, state=State.DIVERGED, metrics={}), METRIC)
        state = State.COMPLETE if last else State.RUNNING
        return to_result(Report(step=step, state=state, metrics={METRIC: loss}), METRIC)


def space_of(parameters: Mapping[str, Any], max_steps: int, seed: int, **changes: Any) -> SearchSpace:
    """A search space with these parameters; `changes` are other keys of a space file, such as sampler="random"."""
    base = {"train": {"max_steps": max_steps}, "lora": {"enabled": True}}
    sampler = changes.pop("sampler", "tpe")
    values = {
        **{"name": "simulated", "base": "none", "base_config": base, "metric": METRIC, "trials": 1},
        **{"baseline": False, "report_every_steps": max_steps, "scheduler": "none", "parameters": parameters},
    }
    return parse_space({**values, "sampler": {"name": sampler, "seed": seed}, **changes}, "simulated")


def distributions_of(space: SearchSpace) -> dict[str, Any]:
    """The space as Optuna's distributions; an ordered parameter is the integer index of its value."""
    drawn: dict[str, Any] = {}
    for key, parameter in space.parameters.items():
        if parameter.type == "float":
            drawn[key] = optuna.distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)
        elif parameter.ordered:
            drawn[key] = optuna.distributions.IntDistribution(0, len(parameter.ends()) - 1)
        else:
            drawn[key] = optuna.distributions.CategoricalDistribution(parameter.ends())
    return drawn


def values_of(space: SearchSpace, params: Mapping[str, Any]) -> dict[str, Any]:
    """The values for a sample from `distributions_of(space)`."""
    ordered = {key: parameter.ends() for key, parameter in space.parameters.items() if parameter.ordered}
    return {key: ordered[key][value] if key in ordered else value for key, value in params.items()}


def simulate(
    arm: Arm, curve_of: Callable[[dict[str, Any]], Curve], trials: int, workers: int = 1, ahead: int = 0
) -> list[Outcome]:
    """Run `trials` trials and return their outcomes in the order in which they ended.

    `ahead` is the number of trials that are proposed before a worker is free for them.
    """
    order, now = count(), 0.0
    waiting: deque[tuple[str, dict[str, Any], Curve]] = deque()
    # Trials by the time of their next report; `order` breaks ties.
    running: list[tuple[float, int, int, tuple[str, dict[str, Any], Curve]]] = []
    outcomes: list[Outcome] = []
    asked = 0
    while len(outcomes) < trials:
        while True:
            while waiting and len(running) < workers:
                trial = waiting.popleft()
                heapq.heappush(running, (now + trial[2].seconds / len(trial[2].reports), next(order), 0, trial))
            if asked == trials or len(running) + len(waiting) == workers + ahead:
                break
            params = arm.ask(key := f"trial-{asked}")
            waiting.append((key, params, curve_of(params)))
            asked += 1
        now, _, place, trial = heapq.heappop(running)
        key, params, curve = trial
        step, loss = curve.reports[place]
        last = place == len(curve.reports) - 1
        if arm.report(key, step, None if last and curve.diverges else loss, last):
            at = now + curve.seconds / len(curve.reports)
            heapq.heappush(running, (at, next(order), place + 1, trial))
        else:
            reached = last and not curve.diverges
            outcomes.append(Outcome(params, loss if reached else None, step, diverged=last and curve.diverges))
    return outcomes


def in_processes(function: Callable[..., T], jobs: Sequence[tuple[Any, ...]], processes: int) -> list[T]:
    """The results of `function(*job)` in the order of `jobs`, from single-threaded processes."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_quiet) as pool:
        return list(pool.map(function, *zip(*jobs, strict=True)))


def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")


def interval(statistic: Callable[[np.ndarray], float], seeds: int, resamples: int = 2000) -> tuple[float, float, float]:
    """The statistic over all seeds and its 95% bootstrap interval; `statistic` gets the indices of the drawn seeds."""
    rng = np.random.default_rng(0)
    drawn = np.sort([statistic(rng.integers(0, seeds, seeds)) for _ in range(resamples)])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return statistic(np.arange(seeds)), float(low), float(high)
