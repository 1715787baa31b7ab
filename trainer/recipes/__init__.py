"""Recipes: trainsets and evalsets generated from a seed. One file per recipe; this file lists them."""

from collections.abc import Callable
from dataclasses import dataclass

from podium.core.errors import UsageError
from podium.core.records import ReasoningTrace, Sample
from trainer.recipes import dev_reasoning, golden, tiny_reasoning

SEED = 42


@dataclass(frozen=True)
class TrainsetRecipe:
    """`version` must change whenever the same seed gives other traces."""

    version: str
    traces: Callable[[int], list[ReasoningTrace]]


TRAINSETS = {
    "tiny-reasoning": TrainsetRecipe("1", tiny_reasoning.traces),
    "golden-v2": TrainsetRecipe("1", golden.traces),
    "dev-reasoning-v1": TrainsetRecipe("1", dev_reasoning.traces_v1),
    "dev-reasoning-v2": TrainsetRecipe("1", dev_reasoning.traces_v2),
}
EVALSETS: dict[str, Callable[[int], list[Sample]]] = {"tiny_v1": tiny_reasoning.samples}


def trainset_recipe(name: str) -> TrainsetRecipe:
    """Raises UsageError for an unknown name."""
    if name not in TRAINSETS:
        raise UsageError(f"trainset recipe {name!r}, must be one of {', '.join(TRAINSETS)}")
    return TRAINSETS[name]


def evalset_samples(name: str, seed: int = SEED) -> list[Sample]:
    """Raises UsageError for an unknown name."""
    if name not in EVALSETS:
        raise UsageError(f"evalset recipe {name!r}, must be one of {', '.join(EVALSETS)}")
    return EVALSETS[name](seed)
