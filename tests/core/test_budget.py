import pytest

from podium.core.budgets.budget import Budget, resolve_budget
from podium.core.config_sections import BudgetConfig
from podium.core.errors import UsageError


def test_profile_fills_in_what_is_not_written():
    assert resolve_budget(BudgetConfig(profile="kaggle-tpu")) == Budget("kaggle-tpu", 9 * 3600, 600)
    assert resolve_budget(BudgetConfig(profile="kaggle-gpu", time_budget_s=3600)) == Budget("kaggle-gpu", 3600, 360)
    assert resolve_budget(BudgetConfig(time_budget_s=100, reserve_s=5)) == Budget("local", 100, 5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (BudgetConfig(profile="colab"), "budget.profile='colab', must be one of local, kaggle-tpu-v5e-8"),
        (BudgetConfig(profile="kaggle-tpu", time_budget_s=40_000), "budget.time_budget_s=40000, must be <= 32400"),
        (BudgetConfig(time_budget_s=10, reserve_s=10), "budget.reserve_s=10, must be < budget.time_budget_s=10"),
    ],
)
def test_impossible_budget(config, message):
    with pytest.raises(UsageError, match=message):
        resolve_budget(config)
