"""The budget is met, whatever stalls, as long as all stalls together are not longer than the reserve."""

import random

import pytest

from podium.core.resolved import ResolvedConfig
from podium.submission.lock import write_lock
from podium.submission.run_once import submit
from podium.submission.time_plan import TimePlan
from tests.submission import small
from tests.submission.simulated import Simulation, Work
from tests.submission.small import promotion
from trainer.decoding.generate import Pace


def drawn_work(draw, budget_s, reserve_s):
    """Work and stalls; all stalls together take at most the reserve, and most often exactly that."""
    kinds = [("step", 80), ("burst", 8), ("score", 1)]
    cuts = sorted(draw.random() for _ in range(draw.randint(0, 4)))
    parts = [end - start for start, end in zip([0.0, *cuts], [*cuts, 1.0], strict=True)]
    total_s = reserve_s * draw.choice([0.0, 0.5, 1.0, 1.0])
    places = [(kind, draw.randrange(most)) for kind, most in draw.choices(kinds, k=len(parts))]
    return Work(
        step_s=budget_s / draw.uniform(40, 120),
        admit_s=reserve_s * 0.005,
        token_s=budget_s * draw.uniform(0.0005, 0.01),
        score_s=reserve_s * 0.05,
        stalls={place: part * total_s for place, part in zip(places, parts, strict=True)},
    )


def simulated(seed):
    """A run with random work and stalls: its manifest, as far as it says how the time was used."""
    draw = random.Random(seed)
    budget_s = draw.uniform(60, 3600)
    reserve_s = budget_s * draw.uniform(0.05, 0.3)
    budget = {"budget.time_budget_s": budget_s, "budget.reserve_s": reserve_s, "train.max_steps": 3000}
    write_lock(promotion(**budget), f"run-{seed}")
    with pytest.MonkeyPatch.context() as patch:
        clock = Simulation(patch, drawn_work(draw, budget_s, reserve_s)).clock
        manifest = submit(f"run-{seed}", library=small.library(), clock=clock)
    assert manifest.truncated
    return manifest


@pytest.mark.parametrize("n_runs", [2, pytest.param(200, marks=pytest.mark.slow)])
def test_the_budget_is_met(data_home, n_runs):
    shares = [found.elapsed_s / found.time_budget_s for found in map(simulated, range(n_runs))]
    assert data_home.exists()
    assert [share for share in shares if share > 1] == []
    print(f"{n_runs} runs: elapsed {min(shares):.1%} to {max(shares):.1%} of the budget")


@pytest.mark.slow
@pytest.mark.alone
def test_the_budget_of_a_short_run_is_met(data_home):
    write_lock(promotion(**{"budget.time_budget_s": 20, "budget.reserve_s": 6, "train.max_steps": 100_000}), "one")
    manifest = submit("one", library=small.library())
    assert manifest.truncated
    assert manifest.elapsed_s <= 20
    assert data_home.exists()


def test_the_parts_of_a_run():
    plan = TimePlan(budget_s=1000, reserve_s=100, generation_s=200)
    assert (plan.training_ends_s, plan.generating_ends_s, plan.may_miss_answers) == (690, 890, False)
    greedy = TimePlan(budget_s=1000, reserve_s=100, generation_s=2000)
    assert (greedy.training_ends_s, greedy.generating_ends_s, greedy.may_miss_answers) == (445, 890, True)
    assert TimePlan(budget_s=100, reserve_s=99).generating_ends_s == 0
    slow_start = TimePlan(budget_s=1000, reserve_s=100, generation_s=2000, prepared_s=500)
    assert slow_start.training_ends_s == 695
    assert [plan.generating_ends_after(late_s) for late_s in (0, 50, 500)] == [890, 940, 990]


def test_the_longest_that_answers_can_take():
    config = ResolvedConfig.parse(promotion().config, "test").generate
    assert Pace(admit_s=2, token_s=0.5).longest_s(9, config) == 1.5 * (9 * 2 + 3 * 16 * 0.5)
