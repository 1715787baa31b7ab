"""The time part of `podium plan`: what a submission takes, by what was measured, and what of the week it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from podium.core.budgets.profiles import Profile, load_profile, profiles
from podium.core.budgets.projection import ItemTimes, Parts, Projection, hours, hours_left, project, trials_in_the_week
from podium.core.duration import format_duration
from podium.core.paths import study_dir, submission_dir
from podium.core.states import State
from podium.core.wording import counted, named

if TYPE_CHECKING:
    from podium.core.budgets.quota import Week
    from podium.core.config import RunConfig

SAMPLES = (1, 2, 4, 8)
COLUMNS = ("samples", "an item", "p95", "total", "verdict", "quota", "of the week", "left", "trials")


@dataclass(frozen=True)
class TimePlan:
    """Projections by number of samples, on what they rest, and the week's quota (None if nothing is metered)."""

    source: str
    parts: Parts  # without generation
    n_items: int
    projections: tuple[Projection, ...]
    trial_quota_s: float
    week: Week | None


@dataclass(frozen=True)
class _Measured:
    source: str
    parts: Parts
    item: ItemTimes
    trial_s: float


def plan_time(what: str, config: RunConfig, on: str, measure: int | None, factor: float | None) -> TimePlan | str:
    """The time of a submission of `config`, or why it is not known.

    `what`: the study or submission whose trial was measured. `on`: the profile, or the config's if `on` is none.
    `measure`: run so many steps and items here instead. `factor`: how many times as fast the target is.

    Raises:
        UsageError: the factor or the number is out of range, or the evalset is missing.
    """
    from podium.core.budgets.quota import week_of
    from podium.submission.evidence import to_predict

    profile = load_profile(on if on in profiles() else config.budget.profile)
    measured = _from_trial(what) if measure is None else _measure(config, measure)
    if isinstance(measured, str):
        return measured
    prompts = to_predict(config)
    parts = measured.parts.scaled(factor or 1.0)
    item = measured.item.scaled(1 / (factor or 1.0))
    scaled = f"scaled by a given device factor of {factor:g}" if factor else f"not scaled to {profile.name}"
    chosen = config.generate.num_samples
    projections = tuple(
        project(parts, item, len(prompts), samples, profile, _limit_s(config, profile), at=chosen)
        for samples in sorted({*SAMPLES, chosen})
    )
    week = week_of(profile) if profile.quota else None
    trial_s = measured.trial_s / (factor or 1.0)
    return TimePlan(f"{measured.source}, {scaled}", parts, len(prompts), projections, trial_s * profile.rate, week)


def lines(plan: TimePlan | str) -> list[str]:
    """The lines before the table, or the one that says why there is none."""
    if isinstance(plan, str):
        return [f"time: {plan}; --measure N runs N steps and N items here"]
    parts = plan.parts
    seconds = {
        "set-up": parts.setup_s,
        "compile": parts.compile_s,
        "training": parts.training_s,
        "scoring": parts.scoring_s,
        "packaging": parts.packaging_s,
    }
    shown = ", ".join(f"{what} {format_duration(part_s)}" for what, part_s in seconds.items() if part_s)
    missing = [what for what, part_s in seconds.items() if not part_s]
    unknown = f"; not measured: {named(missing)}, which the reserve is for" if missing else ""
    return [f"time: {plan.source}", f"time: {shown}; {counted(plan.n_items, 'item')} to answer{unknown}"]


def rows(plan: TimePlan) -> list[tuple[str, ...]]:
    """The rows of the table with COLUMNS."""
    return [
        (
            str(each.samples),
            format_duration(each.item.mean_s),
            "-" if each.item.p95_s is None else format_duration(each.item.p95_s),
            hours(each.total_s),
            str(each.verdict),
            *(("-",) * 4 if plan.week is None else _quota_cells(each, plan, plan.week)),
        )
        for each in plan.projections
    ]


def values(plan: TimePlan | str) -> dict[str, Any]:
    """The plan as JSON, in seconds and quota-seconds; or why there is none."""
    if isinstance(plan, str):
        return {"unknown": plan}
    return {
        "source": plan.source,
        "n_items": plan.n_items,
        "projections": [
            {
                "samples": each.samples,
                "item_mean_s": each.item.mean_s,
                "item_p95_s": each.item.p95_s,
                "n_measured": each.item.n,
                "parts_s": vars(each.parts),
                "total_s": each.total_s,
                "verdict": str(each.verdict),
                "quota_s": each.quota_s,
                "week_share": each.week_share,
                "left_s": None if plan.week is None else plan.week.left_s - each.quota_s,
                "trials": None if plan.week is None else _trials(each, plan, plan.week),
            }
            for each in plan.projections
        ],
    }


def _quota_cells(each: Projection, plan: TimePlan, week: Week) -> tuple[str, ...]:
    return (
        hours(each.quota_s),
        f"{100 * each.quota_s / week.total_s:.0f}%",
        hours_left(week.left_s - each.quota_s),
        str(_trials(each, plan, week)),
    )


def _trials(each: Projection, plan: TimePlan, week: Week) -> int:
    return trials_in_the_week(week.left_s, each.quota_s, plan.trial_quota_s)


def _limit_s(config: RunConfig, profile: Profile) -> float:
    """The time before the reserve, which is for what takes longer than planned."""
    from podium.core.budgets.budget import resolve_budget

    same = load_profile(config.budget.profile).name == profile.name
    budget = resolve_budget(config.budget if same else type(config.budget)(profile=profile.name))
    return budget.time_budget_s - budget.reserve_s


def _measure(config: RunConfig, n: int) -> _Measured:
    from podium.submission.evidence import to_predict
    from podium.submission.measured import measure_packaging, measure_scoring
    from trainer.timing import measure

    samples = to_predict(config)
    found = measure(config, samples, n)
    parts = Parts(
        setup_s=found.setup_s,
        compile_s=found.compile_s,
        training_s=found.training_s,
        scoring_s=measure_scoring(config, samples, found.predictions),
        packaging_s=measure_packaging(config),
    )
    source = f"{counted(n, 'step')} and {counted(len(found.items_s), 'item')} measured here on {found.device}"
    return _Measured(source, parts, ItemTimes.of(found.items_s), found.compile_s + found.training_s)


def _from_trial(what: str) -> _Measured | str:
    """What the best complete trial of a study took, or the trial that a lock promoted; or why that is not known."""
    from tuning.search.objectives import ITEM_S
    from tuning.study.cuts import N_ANSWERS
    from tuning.study.study import load_study

    study, number = what, None
    if submission_dir(what).is_dir():
        from podium.submission.lock import read_lock

        lock = read_lock(what)
        study, number = lock.study, lock.trial
    if what.endswith((".yaml", ".yml")) or not study_dir(study).is_dir():
        return "nothing was measured"
    view = load_study(study)
    trials = [trial for trial in view.trials if trial.state is State.COMPLETE and number in (None, trial.number)]
    if not trials:
        return f"study {study!r} has no complete trial"
    trial = view.best() if number is None else trials[0]
    missing = [name for name in ("compile_s", "projected_submit_s", ITEM_S) if name not in trial.metrics]
    if missing:
        return f"trial {trial.number} of study {study!r} did not record {missing[0]}"
    compile_s, item_s = trial.metrics["compile_s"], trial.metrics[ITEM_S]
    item = ItemTimes(item_s, None, int(trial.metrics.get(N_ANSWERS, 1)))
    parts = Parts(compile_s=compile_s, training_s=trial.metrics["projected_submit_s"] - compile_s)
    return _Measured(f"trial {trial.number} of study {study}", parts, item, trial.metrics["elapsed_s"])
