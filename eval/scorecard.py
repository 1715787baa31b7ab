"""Score predictions: overall, by group and by item. docs/evaluation.md defines the terms."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from eval.scorers import DEFAULT, get_scorer
from eval.scorers.base import POINTS, Score
from eval.sets.evalset import Evalset, ScoredSet, cluster_label
from eval.sets.groups import grouped
from eval.sets.predictions import finish_reasons, read_predictions, read_scored_set, set_to_score
from eval.statistics.bootstrap import mean_interval
from eval.statistics.clusters import Clusters
from podium.core.errors import UsageError
from podium.core.progress import doing
from podium.core.records import Prediction, Record, Sample
from podium.core.wording import counted


class GroupScore(Record):
    """The score of one section, category or difficulty, in points from 0 to 100."""

    answer_correctness: float
    n_items: int


class Metric(Record):
    """The mean over items of a metric that a scorer declares or that follows from several predictions per item."""

    value: float
    n_items: int
    interval: tuple[float, float]  # 95%, percentile bootstrap over items


class Scorecard(Record):
    """`scorecard.json`. Scores are points from 0 to 100, except `primary_score` and the items' values (0 to 1)."""

    scorecard_version: Literal["1"] = "1"
    evalset: ScoredSet | None  # None if the samples did not come from a file
    scorer: str
    scorer_version: str
    answer_correctness: float  # 100 x the mean of the items' values; a missing item counts as 0
    primary_score: float  # answer_correctness / 100
    n_items: int = Field(ge=1)  # n_scored + n_missing
    n_scored: int  # items with a prediction
    n_missing: int  # items without a prediction: wrong
    n_skipped: int  # prediction lines that were not used: unknown ids, repeats and malformed ones
    n_unreadable: int = 0  # items whose predictions hold nothing that could be an answer: wrong
    n_samples: int = 1  # predictions per item; if an item has fewer, the missing ones are wrong
    finish_reasons: dict[str, int] = Field(default_factory=dict)  # the number of scored predictions by finish reason
    stddev: float  # of the items' points, ddof=0
    interval: tuple[float, float]  # 95%, percentile bootstrap over items; those of a `meta.group` are drawn together
    n_clusters: int = 0  # items and groups of items that are drawn; 0 in scorecards of older versions
    seed: int  # of the bootstrap
    metrics: dict[str, Metric] = Field(default_factory=dict)  # in addition to the value
    sections: dict[str, GroupScore]
    categories: dict[str, GroupScore]
    difficulties: dict[str, GroupScore]
    unknown_ids: tuple[str, ...]
    duplicate_ids: tuple[str, ...]
    malformed: tuple[str, ...] = ()  # line and reason
    scores: tuple[Score, ...]  # in the order of the samples


def score_predictions(
    samples: Sequence[Sample],
    predictions: Iterable[Prediction],
    scorer: str = DEFAULT,
    seed: int = 0,
    *,
    evalset: ScoredSet | None = None,
    malformed: Sequence[str] = (),
) -> Scorecard:
    """Score every sample. If predictions share an id and a sample number, only the first counts.

    Raises:
        UsageError: there are no samples, or the scorer is unknown or cannot judge one of them.
    """
    if not samples:
        raise UsageError("there are no items to score; choose another split or evalset")
    judge = get_scorer(scorer)
    for sample in samples:
        judge.check(sample)
    by_id, unknown, duplicates = _grouped_by_id(samples, predictions)
    with doing(f"scoring {counted(len(samples), 'item')}"):
        scores = tuple(judge.score_items([(sample, by_id[sample.id]) for sample in samples]))
    values = [score.value for score in scores]
    clusters = Clusters.of(map(cluster_label, samples))
    n_missing = sum(score.missing for score in scores)
    return Scorecard(
        evalset=evalset,
        scorer=judge.spec,
        scorer_version=judge.version,
        answer_correctness=_points(values),
        primary_score=_points(values) / 100,
        n_items=len(samples),
        n_scored=len(samples) - n_missing,
        n_missing=n_missing,
        n_skipped=len(unknown) + len(duplicates) + len(malformed),
        n_unreadable=sum(score.extracted is None for score in scores) - n_missing,
        n_samples=max(1, *map(len, by_id.values())),
        finish_reasons=finish_reasons(prediction for found in by_id.values() for prediction in found),
        stddev=float(np.std(100 * np.asarray(values))),
        interval=mean_interval(values, seed, clusters),
        n_clusters=clusters.n,
        seed=seed,
        metrics=_metrics(scores, judge.metrics, clusters, seed),
        **_group_scores(samples, values),
        unknown_ids=tuple(unknown),
        duplicate_ids=tuple(duplicates),
        malformed=tuple(malformed),
        scores=scores,
    )


def score_file(
    path: Path, evalset: Evalset, *, split: str | None = None, scorer: str | None = None, seed: int = 0
) -> Scorecard:
    """Score predictions.jsonl on `split`; None means the split that the predictions were made for.

    The scorecard counts and names malformed lines.

    Raises:
        UsageError: the file does not exist, no prediction can be read in it or none is for an item of the evalset, or
            the predictions were made for another evalset or split.
    """
    chosen = set_to_score(evalset, read_scored_set(path), split)
    samples = evalset.split(chosen.split, chosen.max_items)
    elsewhere = {sample.id for sample in evalset.samples} - {sample.id for sample in samples}
    file = read_predictions(path)
    predictions = [prediction for prediction in file.predictions if prediction.id not in elsewhere]
    if not {sample.id for sample in samples} & {prediction.id for prediction in predictions}:
        raise UsageError(
            f"{path}: none of its {len(file.predictions)} predictions is for an item of {chosen.name} "
            f"({chosen.split}); ids are such as {samples[0].id!r}, found {file.predictions[0].id!r}"
        )
    judge = evalset.chosen_scorer(scorer)
    return score_predictions(samples, predictions, judge, seed, evalset=chosen, malformed=file.malformed)


def floored(value: float, digits: int = 2) -> str:
    """`value` as text for people, rounded down: 99.999 is 99.99."""
    return _to_digits(value, digits, ROUND_FLOOR)


def points_text(points: float, signed: bool = False) -> str:
    """A score, a gain or an end of an interval to a tenth of a point, rounded down: 77.99 is 77.9, -0.01 is -0.1."""
    text = _to_digits(round(points, 9), 1, ROUND_FLOOR)  # 100 * 0.29 is 28.999999999999996
    return f"+{text}" if signed and points >= 0 else text


def at_most_text(value: float) -> str:
    """A limit that a value does not exceed, to a tenth, rounded up: 6.61 is 6.7."""
    return _to_digits(round(value, 9), 1, ROUND_CEILING)


def percent_text(probability: float) -> str:
    """A probability to a tenth of a percent, rounded up; never 0."""
    return f"{at_most_text(100 * probability)}%" if probability >= 0.001 else "below 0.1%"


def _to_digits(value: float, digits: int, rounding: str) -> str:
    return str(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), rounding=rounding))


def metric_text(name: str, value: float | None) -> str:
    """The value of a metric such as `dev/answer_correctness` as text for people, rounded down; `-` for None.

    Points have two decimals; any other metric, like a loss, has four below 10.
    """
    if value is None:
        return "-"
    return floored(value, 2 if name.endswith("answer_correctness") or abs(value) >= 10 else 4)


def _grouped_by_id(
    samples: Sequence[Sample], predictions: Iterable[Prediction]
) -> tuple[dict[str, list[Prediction]], list[str], list[str]]:
    """The predictions by sample, the unknown ids, and the ids of repeated predictions."""
    by_id: dict[str, list[Prediction]] = {sample.id: [] for sample in samples}
    unknown, duplicates = [], []
    for prediction in predictions:
        found = by_id.get(prediction.id)
        if found is None:
            unknown.append(prediction.id)
        elif any(prediction.sample == earlier.sample for earlier in found):
            duplicates.append(prediction.id)
        else:
            found.append(prediction)
    return by_id, unknown, duplicates


def _metrics(scores: Sequence[Score], scales: Mapping[str, float], clusters: Clusters, seed: int) -> dict[str, Metric]:
    """Every metric of the scores, in their order; `scales` has the scorer's own, any other is a share."""
    found = {}
    for name in scores[0].metrics:
        values, scale = [score.metrics[name] for score in scores], scales.get(name, POINTS)
        interval = mean_interval(values, seed, clusters, scale)
        found[name] = Metric(value=scale * sum(values) / len(values), n_items=len(values), interval=interval)
    return found


def _points(values: Sequence[float]) -> float:
    # Multiply first: 100 * (29 / 50) is 57.99999999999999.
    return 100 * sum(values) / len(values)


def _group_scores(samples: Sequence[Sample], values: Sequence[float]) -> dict[str, Any]:
    """The fields `sections`, `categories` and `difficulties` of a Scorecard."""
    return {
        plural: {
            name: GroupScore(answer_correctness=_points(members), n_items=len(members))
            for name, members in groups.items()
        }
        for plural, groups in grouped(samples, values).items()
    }
