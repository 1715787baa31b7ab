"""The time limits of a run, from its config and its budget profile."""

from dataclasses import dataclass

from podium.core.budgets.profiles import load_profile
from podium.core.config_sections import BudgetConfig
from podium.core.errors import UsageError


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
    profile = load_profile(config.profile)
    time_budget_s = profile.session_s if config.time_budget_s is None else config.time_budget_s
    if time_budget_s > profile.session_s:
        limit = f"{profile.session_s:g}, the session of profile {config.profile}"
        raise UsageError(f"budget.time_budget_s={time_budget_s:g}, must be <= {limit}")
    # At most a tenth, so that the reserve does not use up a short budget.
    reserve_s = min(profile.reserve_s, time_budget_s / 10) if config.reserve_s is None else config.reserve_s
    if reserve_s >= time_budget_s:
        raise UsageError(f"budget.reserve_s={reserve_s:g}, must be < budget.time_budget_s={time_budget_s:g}")
    return Budget(config.profile, time_budget_s, reserve_s)
