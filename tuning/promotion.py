"""The promotion gate: which trial of a study may be locked, and whether it has earned it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.scorecard import at_most_text, points_text
from eval.sets.evalset import Evalset, load_evalset
from eval.sets.looks import Look, look_number, looks_at, record_look
from eval.statistics.bootstrap import N_RESAMPLES
from eval.statistics.clusters import Clusters
from eval.statistics.gains import Gains, detectable_gain, fewest_clusters, items_needed
from eval.statistics.looks import alpha_at
from eval.statistics.racing import FEWEST_SEEDS
from podium.core.errors import UsageError
from podium.core.hashing import sha256_json
from podium.core.promotion import Contender, Decision, PromotionRecord, Verdict
from tuning.candidates import Configuration, baseline, candidate, candidates, record
from tuning.confirmation import Confirmation, OnRun
from tuning.options import SweepOptions
from tuning.study.locks import driver_of
from tuning.study.study import StudyView, load_study
from tuning.workers.worker import HoldoutWorker


def promote_unconfirmed(study: str, trial: int | None = None, overlap: str | None = None) -> PromotionRecord:
    """The best complete trial of `study`, or trial number `trial`, by the sweep's scores alone.

    Raises:
        UsageError: unknown study or trial, no complete trial, the chosen trial is not complete, the data have changed
            since it was trained and scored, or trainset and evalset overlap undeclared.
    """
    view = load_study(study)
    found = record(view, view.best() if trial is None else view.trial(trial), overlap)
    return found.model_copy(update={"verdict": "unconfirmed"})


def promote(
    study: str,
    trial: int | None = None,
    *,
    top: int = 3,
    seeds: int = 3,
    against: Configuration | None = None,
    overlap: str | None = None,
    on_run: OnRun | None = None,
    **options: Any,
) -> PromotionRecord:
    """Run the best `top` complete trials of `study`, or trial number `trial`, again and compare them on the holdout.

    Each runs with `seeds` new seeds, and is compared with `against`, or the base config. `overlap` says why prompts
    that trainset and evalset share are no matter. `on_run` is called after each run; `options` are the fields of
    `SweepOptions`. The record has the verdict: whether to follow it is up to the caller.

    Raises:
        UsageError: as `promote_unconfirmed` does, a number out of range, a study that is running, or a holdout too
            small for any verdict; nothing was run.
        PodiumError: the runs were stopped, or those of the reference or of all candidates failed.
    """
    _check(top, seeds)
    view, given = load_study(study), SweepOptions(**{"worker": HoldoutWorker, **options})
    if process := driver_of(view.dir):
        raise UsageError(f"study {study!r} is being run by process {process}; wait for its end, or podium stop {study}")
    evalset = load_evalset(view.space.base_config.eval.evalset)
    reference = against or baseline(view)
    chosen = candidates(view, top, reference) if trial is None else [candidate(view.trial(trial))]
    records = {one.label: record(view, view.trial(one.trial), overlap) for one in chosen if one.trial is not None}
    alpha = alpha_at(len(looks_at(evalset)) + 1)
    confirmation = Confirmation(view, evalset, [reference, *chosen], seeds, alpha)
    refuse_small_holdout(confirmation.clusters, len(chosen), alpha)
    confirmation.run(given, on_run)
    decision = _look(view, evalset, confirmation)
    return records[decision.winner].model_copy(update={"verdict": decision.verdict, "decision": decision})


def _check(top: int, seeds: int) -> None:
    if top < 1:
        raise UsageError(f"top={top}, must be 1 or more trials")
    if seeds < FEWEST_SEEDS:
        raise UsageError(f"seeds={seeds}, must be {FEWEST_SEEDS} or more: one does not show how much the seed matters")


def _look(study: StudyView, evalset: Evalset, confirmation: Confirmation) -> Decision:
    """Count the look at the holdout, then decide."""
    runs = sha256_json(confirmation.run_hashes())
    number = look_number(evalset, runs)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    look = Look(evalset=evalset.name, sha256=evalset.sha256, runs=runs, study=study.name, at=now)
    record_look(look, evalset)
    reference, *others = (
        Runs(
            label=one.label,
            values=np.stack(values),
            seeds=confirmation.seeds(place),
            trial=one.trial,
            sweep_score=one.sweep_score,
            cost_s=one.cost_s,
        )
        for place, (one, values) in enumerate(zip(confirmation.configurations, confirmation.done(), strict=True))
        if place not in confirmation.failed
    )
    return decide(reference, others, confirmation.clusters, number)


def refuse_small_holdout(clusters: Clusters, n_candidates: int, alpha: float) -> None:
    """Raises UsageError if so few items could not tell this many candidates from chance, whatever their answers."""
    fewest = fewest_clusters(alpha, n_candidates)
    if clusters.n < fewest:
        raise UsageError(
            f"the holdout has {clusters.n} items or groups of items, must have {fewest} or more for a verdict on "
            f"{n_candidates} candidates; use a larger evalset, or --quick to promote without a verdict"
        )


@dataclass(frozen=True)
class Runs:
    """The confirmation runs of a configuration: the values (seeds, items) of the holdout's items, from 0 to 1."""

    label: str
    values: NDArray[np.float64]
    seeds: tuple[int, ...] = ()
    trial: int | None = None
    sweep_score: float | None = None  # points on dev
    cost_s: float = 0.0  # of training it once; decides between equal scores


def decide(
    reference: Runs, others: Sequence[Runs], clusters: Clusters, look: int = 1, n_resamples: int = N_RESAMPLES
) -> Decision:
    """Compare the others, the candidates, with the reference on the holdout's items, at this look from 1.

    Raises:
        UsageError: the holdout has too few items to decide anything.
    """
    alpha = alpha_at(look)
    refuse_small_holdout(clusters, len(others), alpha)
    found = Gains.of([reference.values, *(runs.values for runs in others)], clusters, n_resamples=n_resamples)
    margins = found.gain_margins(alpha)
    passed = (found.gains > 0) & (found.gains > margins)

    def rank(place: int) -> tuple[bool, int, float, float]:
        """Those that pass, then those that stayed in the race; equal scores are for the cheaper."""
        runs = others[place]
        return bool(passed[place]), len(runs.values), round(float(found.means[1 + place]), 9), -runs.cost_s

    best = max(range(len(others)), key=rank)
    score, bias, width = found.means[1:][best], found.selection_bias, found.score_margins()
    sweep_score = others[best].sweep_score
    verdict: Verdict = "promote" if passed[best] else "unconfirmed" if found.gains[best] > 0 else "do not promote"
    power = _Power.of(found, best, float(margins[best]), clusters)
    return Decision(
        verdict=verdict,
        reason=_reason(verdict, power, reference.label, others[best], look),
        winner=others[best].label,
        expected_score=100 * float(score - bias),
        interval=_points(score, width[best]),
        winners_curse_gap=None if sweep_score is None else sweep_score - 100 * float(score),
        p_worse=found.p_worse(best),
        n_items=clusters.n_items,
        n_clusters=clusters.n,
        looks=look,
        alpha=alpha,
        detectable_gain=power.detectable,
        items_needed=power.items_needed if verdict == "unconfirmed" else None,
        reference=_contender(reference),
        candidates=tuple(
            _contender(
                runs,
                interval=_points(found.means[1 + place], width[place]),
                gain=100 * float(found.gains[place]),
                gain_interval=_bounds(found.gains[place], margins[place]),
            )
            for place, runs in enumerate(others)
        ),
    )


@dataclass(frozen=True)
class _Power:
    """What the holdout shows of the winner's gain, and what it could show; in points."""

    gain: float
    margin: float | None  # None: too many looks
    detectable: float | None
    items_needed: int | None
    n_items: int

    @classmethod
    def of(cls, found: Gains, best: int, margin: float, clusters: Clusters) -> "_Power":
        gain, errors = float(found.gains[best]), (float(found.item_errors[best]), float(found.seed_errors[best]))
        n = clusters.n_items
        if not np.isfinite(margin):
            return cls(100 * gain, None, None, None, n)
        detectable = detectable_gain(margin, float(np.hypot(*errors)))
        needed = items_needed(gain, n, *errors, detectable) if gain > 0 else None
        return cls(100 * gain, 100 * margin, 100 * detectable, needed, n)


def _reason(verdict: Verdict, power: _Power, reference: str, winner: Runs, look: int) -> str:
    points = points_text(power.gain)
    gain = f"{winner.label} scores {points.lstrip('-')} points {'less' if power.gain < 0 else 'more'} than {reference}"
    where = f"on {power.n_items} holdout items"
    if verdict == "do not promote":
        return f"no candidate scores more than {reference} {where}: {gain}"
    if power.margin is None or power.detectable is None:
        return f"{gain} {where}, but this is look {look} at the holdout, which is worn out; use new items"
    if verdict == "promote":
        return f"{gain} {where}, and chance explains at most {at_most_text(power.margin)}"
    smallest = f"the smallest gain that these items would find is {at_most_text(power.detectable)} points"
    more = (
        f"one of {points} takes {power.items_needed} items"
        if power.items_needed
        else f"one of {points} takes more --seeds, not items: the runs of one config differ by more"
    )
    return f"{gain} {where}, but chance explains up to {at_most_text(power.margin)}; {smallest}, {more}"


def _contender(runs: Runs, **compared: Any) -> Contender:
    score = 100 * float(runs.values.mean())
    return Contender(
        label=runs.label, trial=runs.trial, seeds=runs.seeds, score=score, sweep_score=runs.sweep_score, **compared
    )


def _points(score: float, margin: float) -> tuple[float, float]:
    """The bounds of a score in points; none is outside 0 to 100."""
    return max(0.0, 100 * float(score - margin)), min(100.0, 100 * float(score + margin))


def _bounds(gain: float, margin: float) -> tuple[float, float]:
    return max(-100.0, 100 * float(gain - margin)), min(100.0, 100 * float(gain + margin))
