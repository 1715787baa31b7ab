"""The week's quota: what is used, what is reserved for submissions that are locked and not yet run, what is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from podium.core.budgets.kaggle import KaggleQuota, kaggle_quota
from podium.core.budgets.ledger import Ledger, read_ledger
from podium.core.budgets.profiles import Profile, load_profile, profiles
from podium.core.budgets.projection import hours
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_json
from podium.core.paths import submission_dir
from podium.core.run_files import CLAIM, LOCK

WEEK = timedelta(days=7)
ROLLING = "the last 7 days, since Kaggle's refresh time is not known"


@dataclass(frozen=True)
class Reserve:
    """A submission that is locked and not yet run, with the quota-seconds of its whole budget."""

    name: str
    quota: str | None
    quota_s: float


@dataclass(frozen=True)
class Week:
    """One quota (gpu or tpu) in this week, in quota-seconds. The ledger's figures, and Kaggle's if they are known."""

    quota: str
    total_s: float
    used_s: float  # by the ledger
    reserves: tuple[Reserve, ...]
    since: datetime
    window: str  # which week that is
    kaggle: KaggleQuota | None = None

    @property
    def reserved_s(self) -> float:
        return sum(reserve.quota_s for reserve in self.reserves)

    @property
    def left_s(self) -> float:
        """What is left before the reserve, by the ledger or by Kaggle, whichever says less."""
        left_s = self.total_s - self.used_s
        return max(0.0, left_s if self.kaggle is None else min(left_s, self.kaggle.left_s))

    @property
    def free_s(self) -> float:
        """What a sweep may use: what is left less the reserve."""
        return max(0.0, self.left_s - self.reserved_s)

    @property
    def difference(self) -> str | None:
        """One line if Kaggle's figure is not the ledger's; Kaggle rounds to a hundredth of an hour."""
        if self.kaggle is None or abs(self.kaggle.used_s - self.used_s) < 36:
            return None
        more = self.kaggle.used_s > self.used_s
        why = "notebooks outside Podium, or another workspace" if more else "Kaggle counts later, or not all of it"
        return f"Kaggle says {hours(self.kaggle.used_s)} used, the ledger {hours(self.used_s)}: {why}"


@dataclass(frozen=True)
class Quotas:
    """Every quota of the profiles, and what is to be said about the figures, one line each."""

    weeks: Mapping[str, Week]
    notes: tuple[str, ...]


def quotas(now: datetime | None = None) -> Quotas:
    """The week of every quota, from the ledger, the locks and `kaggle quota`. Changes nothing."""
    now, ledger = now or datetime.now(UTC), read_ledger()
    notes = [ledger.problem] if ledger.problem else []
    try:
        kaggle: Mapping[str, KaggleQuota] = kaggle_quota()
    except PodiumError as error:
        kaggle = {}
        notes.append(str(error))
    reserved, problems = reserves()
    names: list[str] = sorted({profile.quota for profile in profiles().values() if profile.quota})
    weeks = {name: week(name, ledger, reserved, kaggle.get(name), now) for name in names}
    return Quotas(weeks, (*notes, *problems))


def week(quota: str, ledger: Ledger, reserved: tuple[Reserve, ...], kaggle: KaggleQuota | None, now: datetime) -> Week:
    """The week that `now` is in: Kaggle's, if its refresh time is known, else the last 7 days."""
    since, window = now - WEEK, ROLLING
    if kaggle and kaggle.refresh_at:
        # A refresh time that has passed begins the week.
        since = kaggle.refresh_at - WEEK if kaggle.refresh_at > now else kaggle.refresh_at
        window = f"Kaggle's week, which began {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    # Where profiles differ, the smaller figure: nothing is rounded up.
    weeks_s = [profile.week_s for profile in profiles().values() if profile.quota == quota and profile.week_s]
    total_s = kaggle.total_s if kaggle else min(weeks_s)
    mine = tuple(reserve for reserve in reserved if reserve.quota == quota)
    return Week(quota, total_s, ledger.used_s(quota, since), mine, since, window, kaggle)


def reserves() -> tuple[tuple[Reserve, ...], tuple[str, ...]]:
    """The submissions that are locked and not claimed, by their locks' budgets; and one line a lock without one."""
    found: list[Reserve] = []
    problems: list[str] = []
    for lock in sorted(submission_dir("").glob(f"*/{LOCK}")):
        if (lock.parent / CLAIM).exists():
            continue
        try:
            found.append(_reserve(lock.parent.name, read_json(lock)))
        except UsageError as error:
            problems.append(f"nothing is reserved for submission {lock.parent.name!r}: {error}")
    return tuple(found), tuple(problems)


def _reserve(name: str, lock: object) -> Reserve:
    # Only this section is read: the lock itself is podium/submission's, which checks it before the run.
    budget = lock.get("budget") if isinstance(lock, dict) else None
    if not isinstance(budget, dict) or not isinstance(budget.get("time_budget_s"), int | float):
        raise UsageError("its lock.json has no budget; restore it")
    profile = load_profile(str(budget.get("profile")))
    return Reserve(name, profile.quota, budget["time_budget_s"] * profile.rate)


def week_of(profile: Profile, now: datetime | None = None) -> Week:
    """The week of a profile's quota. Raises UsageError if nothing is metered there."""
    if not profile.quota:
        raise unmetered(profile)
    return quotas(now).weeks[profile.quota]


def unmetered(profile: Profile) -> UsageError:
    """The error for a profile without a quota."""
    metered = ", ".join(name for name, each in profiles().items() if each.quota)
    return UsageError(f"profile {profile.name!r} has no quota; must be one of {metered}")
