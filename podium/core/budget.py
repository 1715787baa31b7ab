"""Budget profiles: the length of a session, and the rate at which a session uses the quota.

Kaggle's figures: a TPU session lasts 9 h, a GPU session 12 h, and an L4x4 uses GPU quota at twice the rate.
"""

from dataclasses import dataclass

from podium.core.config_sections import BudgetConfig
from podium.core.errors import UsageError

HOUR_S = 3600.0


@dataclass(frozen=True)
class BudgetProfile:
    session_s: float
    reserve_s: float
    quota_rate: float  # quota-seconds per wall second; 0 if nothing is metered


PROFILES = {
    "local": BudgetProfile(session_s=12 * HOUR_S, reserve_s=30, quota_rate=0),
    "kaggle-tpu": BudgetProfile(session_s=9 * HOUR_S, reserve_s=600, quota_rate=1),
    "kaggle-gpu": BudgetProfile(session_s=12 * HOUR_S, reserve_s=600, quota_rate=1),
    "kaggle-l4x4": BudgetProfile(session_s=12 * HOUR_S, reserve_s=600, quota_rate=2),
}


@dataclass(frozen=True)
class Budget:
    """The time limits of one submission run, in wall seconds."""

    profile: str
    time_budget_s: float
    reserve_s: float


def resolve_budget(config: BudgetConfig) -> Budget:
    """The budget of a config, with the profile's values for keys that are not set.

    Raises:
        UsageError: the profile is unknown, the budget exceeds the session, or the reserve leaves no time.
    """
    if config.profile not in PROFILES:
        raise UsageError(f"budget.profile={config.profile!r}, must be one of {', '.join(PROFILES)}")
    profile = PROFILES[config.profile]
    time_budget_s = profile.session_s if config.time_budget_s is None else config.time_budget_s
    if time_budget_s > profile.session_s:
        limit = f"{profile.session_s:g}, the session of profile {config.profile}"
        raise UsageError(f"budget.time_budget_s={time_budget_s:g}, must be <= {limit}")
    # At most a tenth, so that the reserve does not use up a short budget.
    reserve_s = min(profile.reserve_s, time_budget_s / 10) if config.reserve_s is None else config.reserve_s
    if reserve_s >= time_budget_s:
        raise UsageError(f"budget.reserve_s={reserve_s:g}, must be < budget.time_budget_s={time_budget_s:g}")
    return Budget(config.profile, time_budget_s, reserve_s)


def wall_s_for(quota_s: float, profile: str) -> float:
    """The wall seconds in which a run uses `quota_s` quota-seconds.

    Raises:
        UsageError: the profile is unknown or has no quota.
    """
    if profile not in PROFILES:
        raise UsageError(f"budget.profile={profile!r}, must be one of {', '.join(PROFILES)}")
    rate = PROFILES[profile].quota_rate
    if not rate:
        metered = ", ".join(name for name, each in PROFILES.items() if each.quota_rate)
        raise UsageError(
            f"quota of {quota_s:g} s: budget.profile={profile!r} has no quota; limit the time instead, "
            f"or set the profile to one of {metered}"
        )
    return quota_s / rate
