"""What a sweep may use of the week's quota: never what is reserved for a submission."""

import os
from dataclasses import dataclass
from typing import Literal

from podium.core.budgets.budget import resolve_budget
from podium.core.budgets.profiles import Profile, load_profile, profiles
from podium.core.budgets.projection import hours, hours_left
from podium.core.budgets.quota import Week, week_of
from podium.core.config_sections import BudgetConfig
from podium.core.errors import UsageError
from podium.core.wording import counted

UNMETERED = "local"
REST: Literal["rest"] = "rest"
# The confirmation runs of `podium promote` by its defaults: three candidates with three seeds, the reference with five.
GATE_RUNS = 14


@dataclass(frozen=True)
class Allowance:
    """Where a sweep is metered, its limit in quota-seconds (None for no limit), and a line about a limit it got."""

    profile: Profile
    quota_s: float | None = None
    line: str | None = None


def on_kaggle() -> bool:
    """Whether this process runs in a Kaggle session."""
    return bool(os.environ.get("KAGGLE_KERNEL_RUN_TYPE"))


def place_of_run(profile: str) -> Profile:
    """The profile that a run is recorded under: `profile`, the config's, on Kaggle; elsewhere nothing is metered."""
    return load_profile(profile if on_kaggle() else UNMETERED)


def allowance(
    config: BudgetConfig,
    profile: str | None,
    quota_s: float | Literal["rest"] | None,
    time_budget_s: float | None,
    n_trials: int,
) -> Allowance:
    """What a sweep of `n_trials` trials may use.

    `profile`: where the sweep runs, if it was given; the config's profile if a quota was. `quota_s`: quota-seconds, or
    `rest` for what is left less the shares of the gate and the submission.

    Raises:
        UsageError: the profile is unknown or has no quota, or the sweep would use what is reserved.
    """
    place = _place(config, profile, quota_s)
    if not place.rate:
        if quota_s is not None:
            raise _no_quota(quota_s, place, profile is not None)
        return Allowance(place)
    week = week_of(place)
    if quota_s == REST:
        return _rest(place, week, config, n_trials)
    limits = [limit for limit in (quota_s, time_budget_s and time_budget_s * place.rate) if limit is not None]
    if week.free_s <= 0 or (limits and min(limits) > week.free_s):
        raise UsageError(_refusal(week, min(limits, default=None)))
    if limits:
        return Allowance(place, quota_s)
    return Allowance(place, week.free_s, f"quota: limited to {hours_left(week.free_s)} of {_account(week)}")


def _place(config: BudgetConfig, profile: str | None, quota_s: float | Literal["rest"] | None) -> Profile:
    if profile is not None:
        return load_profile(profile, "profile")
    return load_profile(config.profile) if quota_s is not None else place_of_run(config.profile)


def _no_quota(quota_s: float | Literal["rest"], place: Profile, was_given: bool) -> UsageError:
    what = "quota 'rest'" if quota_s == REST else f"quota of {quota_s:g} s"
    where = "profile" if was_given else "budget.profile"
    metered = ", ".join(name for name, each in profiles().items() if each.rate)
    return UsageError(
        f"{what}: {where}={place.name!r} has no quota; limit the time instead, or set the profile to one of {metered}"
    )


def _rest(place: Profile, week: Week, config: BudgetConfig, n_trials: int) -> Allowance:
    """The submission keeps its whole budget; the gate keeps a share for its runs, each as long as a whole trial."""
    submission_s = resolve_budget(_at(config, place)).time_budget_s * place.rate
    left_s = week.free_s - submission_s
    if left_s <= 0:
        raise UsageError(
            f"quota 'rest': {_account(week)}, and the submission of this sweep needs {hours(submission_s)}, which "
            f"leaves nothing; wait for the next week, or lower budget.time_budget_s"
        )
    share_s = left_s * n_trials / (n_trials + GATE_RUNS)
    return Allowance(
        place,
        share_s,
        f"quota: limited to {hours_left(share_s)} of {_account(week)}; {hours(submission_s)} are kept for the "
        f"submission and {hours(left_s - share_s)} for {counted(GATE_RUNS, 'run')} of the gate",
    )


def _at(config: BudgetConfig, place: Profile) -> BudgetConfig:
    """The budget of the config at another place, where its own times may be too long."""
    return config if config.profile == place.name else BudgetConfig(profile=place.name)


def _refusal(week: Week, asked_s: float | None) -> str:
    asked = "" if asked_s is None else f"this sweep asks for {hours(asked_s)}, and "
    fix = "run the submission first, or wait for the next week" if week.reserves else "wait for the next week"
    if week.free_s >= 360:
        fix = f"give --quota {int(week.free_s)} (quota-seconds) or less, or {fix}"
    return f"quota: {asked}{hours_left(week.free_s)} may be used: {_account(week)}; {fix}"


def _account(week: Week) -> str:
    """Such as: 14.4 h left of gpu quota, less 12.0 h reserved for submission first."""
    names = ", ".join(reserve.name for reserve in week.reserves)
    less = f", less {hours(week.reserved_s)} reserved for submission {names}" if names else ""
    return f"{hours_left(week.left_s)} left of {week.quota} quota{less}"
