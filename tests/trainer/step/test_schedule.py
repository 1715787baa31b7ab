import jax
import numpy as np
import optax
import pytest

from podium.core.config import RunConfig
from trainer.step.optimizer import hyperparameters
from trainer.step.schedule import SCHEDULES, learning_rate


def rates(**train: object) -> list[float]:
    config = RunConfig().with_overrides({f"train.{name}": value for name, value in train.items()})
    hp = hyperparameters(config)
    at = jax.jit(learning_rate)
    return [float(at(hp, np.int32(step))) for step in range(config.train.max_steps)]


def test_constant_with_warmup_reaches_the_peak_at_the_last_warmup_step() -> None:
    found = rates(schedule="constant", learning_rate=1e-2, warmup_steps=4, max_steps=6)
    assert found == pytest.approx([2.5e-3, 5e-3, 7.5e-3, 1e-2, 1e-2, 1e-2])


@pytest.mark.parametrize(
    ("schedule", "reference"),
    [
        ("cosine", optax.cosine_decay_schedule(1e-2, decay_steps=7, alpha=0.1)),
        ("linear", optax.linear_schedule(1e-2, 1e-3, 7)),
    ],
)
def test_a_falling_schedule_is_that_of_optax_from_the_end_of_warmup(schedule: str, reference: optax.Schedule) -> None:
    found = rates(schedule=schedule, learning_rate=1e-2, warmup_steps=3, max_steps=10, final_lr_fraction=0.1)
    assert found[3:] == pytest.approx([float(reference(step)) for step in range(7)], rel=1e-5)
    assert found[2] == pytest.approx(1e-2)
    assert min(found[3:]) > 1e-3  # the last step is still worth taking


def test_wsd_is_stable_and_then_falls() -> None:
    found = rates(schedule="wsd", learning_rate=1.0, warmup_steps=2, max_steps=12, decay_fraction=0.4)
    assert found == pytest.approx([0.5, 1, 1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25], rel=1e-5)
    floor = rates(schedule="wsd", learning_rate=1.0, max_steps=4, decay_fraction=1.0, final_lr_fraction=0.5)
    assert floor == pytest.approx([1, 0.875, 0.75, 0.625])


def test_inverse_square_root_falls_to_half_after_four_warmups_and_knows_no_end() -> None:
    found = rates(schedule="inverse_sqrt", learning_rate=1.0, warmup_steps=4, max_steps=17)
    assert found[:5] == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert found[16] == pytest.approx(0.5)
    longer = rates(schedule="inverse_sqrt", learning_rate=1.0, warmup_steps=4, max_steps=40)
    assert longer[:17] == found
    assert rates(schedule="inverse_sqrt", learning_rate=1.0, max_steps=4)[3] == pytest.approx(0.5)


def test_warmup_over_every_step_and_none_at_all() -> None:
    assert rates(learning_rate=1.0, warmup_steps=3, max_steps=3) == pytest.approx([1 / 3, 2 / 3, 1])
    assert rates(learning_rate=1.0, warmup_steps=0, max_steps=2)[0] == 1.0


def test_another_schedule_is_no_other_program() -> None:
    at = jax.jit(learning_rate).lower(hyperparameters(RunConfig()), np.int32(0)).compile()  # takes no_other shapes
    found = [
        float(at(hyperparameters(RunConfig().with_overrides({"train.schedule": schedule})), np.int32(90)))
        for schedule in SCHEDULES
    ]
    assert len(set(found)) == len(SCHEDULES)
