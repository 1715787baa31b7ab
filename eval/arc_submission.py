"""Predictions for the items of an ARC evalset, as the competition's submission.json."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from eval.arc.samples import submission_of
from eval.arc.submission import Submission, write_submission
from eval.scorers import arc_scorer, get_scorer
from eval.scorers.arc import ArcScorer
from podium.core.records import Asked, Prediction


def makes_attempts(scorer: str) -> bool:
    """Whether predictions judged by `scorer` can be sent to the competition. Raises UsageError for an unknown one."""
    return isinstance(get_scorer(scorer), ArcScorer)


def write_predicted_submission(
    path: Path, samples: Sequence[Asked], predictions: Iterable[Prediction], scorer: str
) -> Submission:
    """Write two attempts for every test output of every task that `samples` are of; returns what was written.

    `scorer` is arc_grid or arc_program and says how predictions become attempts; the test outputs have no part in it.
    An output without an attempt gets the competition's placeholder; predictions for other items are not looked at.

    Raises:
        UsageError: another scorer, or an item of no ARC task; nothing is written.
    """
    judge = arc_scorer(scorer)
    by_id: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        by_id[prediction.id].append(prediction)
    items = [(sample, by_id[sample.id]) for sample in samples if sample.id in by_id]
    attempts = {
        sample.id: tried.grids for (sample, _), tried in zip(items, judge.attempts(items), strict=True) if tried.grids
    }
    submission, tasks = submission_of(samples, attempts)
    write_submission(path, submission, tasks)
    return submission
