"""Predictions for the items of an ARC evalset, as the competition's submission.json."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from eval.arc.samples import arc_questions, submission_of
from eval.arc.scorer import ArcScorer
from eval.arc.submission import Submission, write_submission
from eval.arc.tasks import load_tasks
from eval.scorers import get_scorer
from podium.core.errors import UsageError
from podium.core.records import Asked, Prediction, Question


def makes_attempts(scorer: str) -> bool:
    """Whether predictions judged by `scorer` can be sent to the competition. Raises UsageError for an unknown one."""
    return isinstance(get_scorer(scorer), ArcScorer)


def load_challenges(path: Path, scorer: str) -> list[Question]:
    """What a competition's challenges ask, an item a test output; `scorer` says for what: a grid or a program.

    Raises:
        UsageError: another scorer, or a malformed file.
    """
    judge = _arc_scorer(scorer)
    return arc_questions(load_tasks(path), "arc_grid" if judge.name == "arc_grid" else "arc_program")


def write_predicted_submission(
    path: Path, samples: Sequence[Asked], predictions: Iterable[Prediction], scorer: str
) -> Submission:
    """Write two attempts for every test output of every task that `samples` are of; returns what was written.

    `scorer` is arc_grid or arc_program and says how predictions become attempts; the test outputs have no part in it.
    An output without an attempt gets the competition's placeholder; predictions for other items are not looked at.

    Raises:
        UsageError: another scorer, or an item of no ARC task; nothing is written.
    """
    judge = _arc_scorer(scorer)
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


def _arc_scorer(name: str) -> ArcScorer:
    judge = get_scorer(name)
    if not isinstance(judge, ArcScorer):
        raise UsageError(f"scorer {name!r} makes no attempts; a submission needs arc_grid or arc_program")
    return judge
