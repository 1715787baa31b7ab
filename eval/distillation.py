"""Rejection sampling: keep the correct predictions of a model as training data (Yuan et al. 2023, arXiv 2308.01825)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eval.arc.programs import find_program
from eval.scorers.base import Score, Scorer
from podium.core.records import Prediction, Sample


@dataclass(frozen=True)
class CorrectPrediction:
    """A correct prediction; `program` is the program in its text if the scorer runs programs, else None."""

    sample: Sample
    text: str
    program: str | None
    score: Score


def correct_predictions(
    samples: Sequence[Sample], predictions: Iterable[Prediction], scorer: Scorer, per_item: int | None = None
) -> list[CorrectPrediction]:
    """Every distinct correct prediction, or the first `per_item` of each item, in the order of the samples.

    A program must also be correct on the train pairs: one that is correct on the test pair only has not found the rule.
    """
    distinct: dict[str, dict[str, Prediction]] = {sample.id: {} for sample in samples}
    for prediction in predictions:
        if prediction.id in distinct:
            distinct[prediction.id].setdefault(_deduplication_key(prediction.text, scorer), prediction)
    items = [(sample, [prediction]) for sample in samples for prediction in distinct[sample.id].values()]
    found = [
        CorrectPrediction(sample, prediction.text, _program(prediction.text, scorer), score)
        for (sample, (prediction,)), score in zip(items, scorer.score_items(items), strict=True)
        if score.value == 1 and score.metrics.get("train_pairs", 1.0) == 1
    ]
    n_kept: Counter[str] = Counter()
    kept = []
    for correct in found:
        n_kept[correct.sample.id] += 1
        if per_item is None or n_kept[correct.sample.id] <= per_item:
            kept.append(correct)
    return kept


def _program(text: str, scorer: Scorer) -> str | None:
    return find_program(text) if scorer.name == "arc_program" else None


def _deduplication_key(text: str, scorer: Scorer) -> str:
    """A key that is equal for texts that make the same training example."""
    return (_program(text, scorer) or text).strip()
