"""Measures how often the promotion gate errs, with the code that `podium promote` runs, on simulated studies.

A run answers item i with probability sigmoid(ability of the config + effect of its seed - difficulty of i), and the
answers of different runs are independent (the Rasch model). Difficulties are normal with SD 1, 2 or 3 logits, seed
effects normal with SD 0, 0.1 or 0.2 logits; all nine cells are simulated. The base config scores 76 of 100. Three
candidates run with 3 seeds each, the base config with 5, and the racing rule drops candidates after two seeds.

    equal      all candidates are as good as the base config; a promotion is false
    10 points  one candidate is better by 10 points, on 200 items
    5 points   one candidate is better by 5 points, on 800 items
    study      the best 3 of 12 trials by 246 dev items; their true scores have an SD of 2 points around the base config

A false promotion is one of a candidate that is not better. Power is the share of studies that promote the better one.
Coverage is the share of studies whose interval holds the winner's true score. Goals: false promotions at most 5% in
each cell; power at least 80% at item SD 2 and seed SD up to 0.1; coverage at least 93% in each cell. The power on
800 items and the studies on 1,000 are of 0.3 times as many studies.

With 2,000 resamples instead of 10,000, for speed: verdicts are as right on average, and a little less exact each.

    python -m benchmarks.promotion_gate [--json] [--studies 1000] [--processes 2]
"""

import sys
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.report import Report, arguments
from benchmarks.simulation import in_processes
from eval.statistics.clusters import Clusters
from eval.statistics.looks import alpha_at
from eval.statistics.racing import next_runs, reference_seeds
from podium.core.promotion import Decision
from tuning.promotion import Runs, decide

ITEM_SDS, SEED_SDS = (1.0, 2.0, 3.0), (0.0, 0.1, 0.2)
BASE, TOP, SEEDS, TRIALS, DEV_ITEMS, SPREAD = 0.76, 3, 3, 12, 246, 0.02
RESAMPLES = 2000
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(61)


@dataclass(frozen=True)
class Scenario:
    name: str
    n_items: int
    gain: float | None  # of the first candidate over the base config; None: the trials of a study
    everywhere: bool = True  # in all nine cells
    share: float = 1.0  # of the studies asked for; many items take long


SCENARIOS = (
    Scenario("equal, 200 items", 200, 0.0),
    Scenario("equal, 800 items", 800, 0.0),
    Scenario("10 points, 200 items", 200, 0.10),
    Scenario("5 points, 800 items", 800, 0.05, share=0.3),
    Scenario("study, 246 items", 246, None, everywhere=False),
    Scenario("study, 1000 items", 1000, None, everywhere=False, share=0.3),
)


@dataclass(frozen=True)
class Outcome:
    """What the gate decided in a study, without and with the race, and the truth."""

    promoted: float  # share of studies with a promotion, in the race
    right: float  # with the promotion of a candidate that is truly better
    false: float
    full_right: float  # the same without the race
    dropped: float  # of the candidate that the full comparison promotes
    covered: float
    steps: float  # runs of the race as a share of all
    too_high: float  # points by which the winner's holdout score exceeds its true score
    expected_off: float  # the same of the expected score
    worse: float  # winners that are truly no better than the base config
    p_worse: float  # as stated
    unconfirmed: float


def main() -> None:
    options = arguments(__doc__, studies=200, processes=2)
    report = Report("promotion_gate")
    report.figure("studies", options.studies)
    cells = [(item, seed) for item in ITEM_SDS for seed in SEED_SDS]
    for scenario in SCENARIOS:
        where = cells if scenario.everywhere else [(2.0, 0.14)]
        jobs = [(scenario, *cell, int(scenario.share * options.studies)) for cell in where]
        for cell, outcome in zip(where, in_processes(simulate, jobs, options.processes), strict=True):
            _add(report, scenario, *cell, outcome)
            print(f"{scenario.name} {cell}: {outcome}", file=sys.stderr, flush=True)
    report.print(options.json)


def _add(report: Report, scenario: Scenario, item_sd: float, seed_sd: float, found: Outcome) -> None:
    what = f"{scenario.name}, item SD {item_sd:g}, seed SD {seed_sd:g}"
    report.figure(f"{what}: steps of the race", 100 * found.steps, "% of all")
    if scenario.gain is None:
        report.figure(f"{what}: winner's score too high by", found.too_high, "points")
        report.figure(f"{what}: expected score too high by", found.expected_off, "points")
        report.figure(f"{what}: winners that are worse", 100 * found.worse, "%")
        report.figure(f"{what}: stated probability of that", 100 * found.p_worse, "%")
        report.figure(f"{what}: promoted / unconfirmed", f"{found.promoted:.1%} / {found.unconfirmed:.1%}")
    report.goal(f"{what}: coverage", 100 * found.covered, ">= 93", "%")
    report.goal(f"{what}: false promotions", 100 * found.false, "<= 5", "%")
    if scenario.gain:
        add = partial(report.goal, goal=">= 80") if item_sd == 2 and seed_sd <= 0.1 else report.figure
        add(f"{what}: power", 100 * found.right, unit="%")
        report.figure(f"{what}: power without the race", 100 * found.full_right, "%")
        report.figure(f"{what}: winners that the race drops", 100 * found.dropped, "%")


def simulate(scenario: Scenario, item_sd: float, seed_sd: float, studies: int) -> Outcome:
    rng = np.random.default_rng([scenario.n_items, int(10 * item_sd), int(100 * seed_sd)])
    rows = [one_study(scenario, item_sd, seed_sd, rng) for _ in range(studies)]
    return Outcome(**{name: float(np.mean([row[name] for row in rows])) for name in rows[0]})


def one_study(scenario: Scenario, item_sd: float, seed_sd: float, rng: np.random.Generator) -> dict[str, float]:
    truth, dev = _candidates(scenario, item_sd, seed_sd, rng)  # (candidates,) each
    abilities = [ability(BASE, item_sd, seed_sd), *(ability(score, item_sd, seed_sd) for score in truth)]
    difficulties = rng.normal(0, item_sd, scenario.n_items)
    counts = [reference_seeds(len(truth), SEEDS), *[SEEDS] * len(truth)]
    values = [answers(one, difficulties, seed_sd, n, rng) for one, n in zip(abilities, counts, strict=True)]
    clusters = Clusters.single(scenario.n_items)
    raced = race(values, clusters)
    found = _decide(raced, dev, clusters)
    unraced = not scenario.gain or sum(map(len, raced)) == sum(counts)  # without a gain, the race hides no power
    full = found if unraced else _decide(values, dev, clusters)
    winner = int(found.winner)
    better, full_better = truth[winner] > BASE + 1e-9, truth[int(full.winner)] > BASE + 1e-9
    true_score, promoted = 100 * truth[winner], found.verdict == "promote"
    return {
        "promoted": promoted,
        "right": promoted and better,
        "false": promoted and not better,
        "full_right": full.verdict == "promote" and full_better,
        "dropped": full.verdict == "promote" and len(raced[1 + int(full.winner)]) < SEEDS,
        "covered": found.interval[0] <= true_score <= found.interval[1],
        "steps": sum(map(len, raced)) / sum(counts),
        "too_high": found.candidates[winner].score - true_score,
        "expected_off": found.expected_score - true_score,
        "worse": not better,
        "p_worse": found.p_worse,
        "unconfirmed": found.verdict == "unconfirmed",
    }


def _candidates(scenario: Scenario, item_sd: float, seed_sd: float, rng: np.random.Generator) -> tuple[Any, Any]:
    """The true scores of the candidates and their scores on dev, from 0 to 1."""
    if scenario.gain is not None:
        truth = np.array([BASE + scenario.gain, *[BASE] * (TOP - 1)])
        return truth, truth
    trials = np.round(rng.normal(BASE, SPREAD, TRIALS), 3)
    difficulties = rng.normal(0, item_sd, DEV_ITEMS)
    dev = [
        answers(ability(score, item_sd, seed_sd), difficulties, seed_sd, 1, rng).mean() for score in map(float, trials)
    ]
    top = np.argsort(dev)[: -TOP - 1 : -1]
    return trials[top], np.array(dev)[top]


def _decide(values: list[np.ndarray], dev: np.ndarray, clusters: Clusters) -> Decision:
    candidates = [
        Runs(str(place), runs, sweep_score=100 * float(score))
        for place, (runs, score) in enumerate(zip(values[1:], dev, strict=True))
    ]
    return decide(Runs("base", values[0]), candidates, clusters, n_resamples=RESAMPLES)


def race(values: list[np.ndarray], clusters: Clusters) -> list[np.ndarray]:
    """The runs that the racing rule leaves."""
    done: list[list[np.ndarray]] = [[] for _ in values]
    while runs := next_runs(done, SEEDS, alpha_at(1), clusters):
        for place, seed in runs:
            done[place].append(values[place][seed])
    return [np.stack(runs) for runs in done]


def answers(
    ability: float, difficulties: np.ndarray, seed_sd: float, n_seeds: int, rng: np.random.Generator
) -> np.ndarray:
    """(seeds, items) of 0 and 1."""
    logits = ability + rng.normal(0, seed_sd, (n_seeds, 1)) - difficulties
    return (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(float)


@cache
def ability(score: float, item_sd: float, seed_sd: float) -> float:
    """The ability with this score on the whole population of items and seeds."""
    low, high = -15.0, 15.0
    for _ in range(50):
        middle = (low + high) / 2
        logits = middle + np.hypot(item_sd, seed_sd) * NODES
        is_low = WEIGHTS @ (1 / (1 + np.exp(-logits))) < score * WEIGHTS.sum()
        low, high = (middle, high) if is_low else (low, middle)
    return low


if __name__ == "__main__":
    main()
