import jax
import numpy as np
import pytest

from podium.core.config import RunConfig
from trainer.decoding.sampling import item_key, next_tokens
from trainer.step.optimizer import hyperparameters

SCORES = np.log(np.array([0.1, 0.4, 0.05, 0.3, 0.15], np.float32))
DRAWS = 4000
PINNED = [2506816602, 3133838007]
draw = jax.jit(next_tokens)


def shares(**generate: object) -> np.ndarray:
    """How often each of the five tokens was drawn, over rows with keys of their own."""
    hp = hyperparameters(RunConfig().with_overrides({f"generate.{name}": value for name, value in generate.items()}))
    keys = np.stack([item_key(0, f"item-{number}", 0) for number in range(DRAWS)])
    found = draw(np.tile(SCORES, (DRAWS, 1)), hp, keys, np.zeros(DRAWS, np.int32))
    return np.bincount(found, minlength=5) / DRAWS


def test_temperature_zero_is_the_likeliest() -> None:
    assert shares(temperature=0).tolist() == [0, 1, 0, 0, 0]


def test_of_equal_scores_the_first_is_taken() -> None:
    hp, keys = hyperparameters(RunConfig()), np.zeros((3, 2), np.uint32)
    scores = np.array([[1, 3, 3, 0], [-np.inf, -np.inf, -1, -np.inf], [2, 2, 2, 2]], np.float32)
    assert draw(scores, hp, keys, np.zeros(3, np.int32)).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"temperature": 1}, [0.1, 0.4, 0.05, 0.3, 0.15]),
        ({"temperature": 0.5}, np.array([0.01, 0.16, 0.0025, 0.09, 0.0225]) / 0.285),
        ({"temperature": 1, "top_k": 2}, [0, 4 / 7, 0, 3 / 7, 0]),
        ({"temperature": 1, "top_k": 9}, [0.1, 0.4, 0.05, 0.3, 0.15]),
        ({"temperature": 1, "top_p": 0.6}, [0, 4 / 7, 0, 3 / 7, 0]),  # 0.4 is too little, 0.7 is enough
        ({"temperature": 1, "top_p": 0.8}, np.array([0, 0.4, 0, 0.3, 0.15]) / 0.85),
        ({"temperature": 1, "top_k": 3, "top_p": 0.5}, [0, 4 / 7, 0, 3 / 7, 0]),  # of three, 0.4 has 0.47 of 0.85
    ],
)
def test_tokens_are_drawn_by_their_shares(settings: dict, expected: list[float]) -> None:
    found = shares(**settings)
    assert np.abs(found - expected).max() < 0.035  # four standard deviations of 4000 draws
    assert (found[np.asarray(expected) == 0] == 0).all()


def test_a_key_is_an_items_own() -> None:
    keys = {tuple(item_key(*of)) for of in ((0, "a", 0), (0, "a", 1), (0, "b", 0), (1, "a", 0), (0, "0:a", 0))}
    assert len(keys) == 5
    assert item_key(0, "a", 0).tolist() == item_key(0, "a", 0).tolist()
    # Written down: a sample must be the same on every machine.
    assert item_key(0, "a", 0).tolist() == PINNED
