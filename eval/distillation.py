"""Predictions that are right by themselves: what a model got right is what the next one can learn from."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eval.arc.programs import find_program
from eval.scorers.base import Score, Scorer
from podium.core.records import Prediction, Sample


@dataclass(frozen=True)
class Solved:
    """A right prediction, and its program where that is what makes it right."""

    sample: Sample
    text: str
    program: str | None
    score: Score


def solved(
    samples: Sequence[Sample], predictions: Iterable[Prediction], scorer: Scorer, per_item: int | None = None
) -> list[Solved]:
    """Every distinct right prediction, or the first `per_item` of each item, in the order of the samples.

    A program must be right on the train pairs too: one that is right on the test alone has not found the rule.
    """
    texts: dict[str, dict[str, Prediction]] = {sample.id: {} for sample in samples}
    for prediction in predictions:
        if prediction.id in texts:
            texts[prediction.id].setdefault(_essence(prediction.text, scorer), prediction)
    items = [(sample, [prediction]) for sample in samples for prediction in texts[sample.id].values()]
    found = [
        Solved(sample, prediction.text, _program(prediction.text, scorer), score)
        for (sample, (prediction,)), score in zip(items, scorer.score_items(items), strict=True)
        if score.value == 1 and score.metrics.get("train_pairs", 1.0) == 1
    ]
    n_kept: Counter[str] = Counter()
    kept = []
    for right in found:
        n_kept[right.sample.id] += 1
        if per_item is None or n_kept[right.sample.id] <= per_item:
            kept.append(right)
    return kept


def _program(text: str, scorer: Scorer) -> str | None:
    return find_program(text) if scorer.name == "arc_program" else None


def _essence(text: str, scorer: Scorer) -> str:
    """Equal for texts that teach the same."""
    return (_program(text, scorer) or text).strip()
