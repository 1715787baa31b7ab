"""Write the competition's submission.json from predictions for the items of an ARC evalset."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from eval.arc.samples import submission_of
from eval.arc.submission import Submission, write_submission
from eval.scorers import arc_scorer, get_scorer
from eval.scorers.arc import ArcScorer
from podium.core.records import Prediction, Prompt


def makes_attempts(scorer: str) -> bool:
    """Whether `scorer` turns predictions into attempts for a submission. Raises UsageError for an unknown scorer."""
    return isinstance(get_scorer(scorer), ArcScorer)


def write_arc_submission(
    path: Path, prompts: Sequence[Prompt], predictions: Iterable[Prediction], scorer: str
) -> Submission:
    """Write two attempts for every test output of every task that `prompts` belong to; returns what was written.

    `scorer` (arc_grid or arc_program) turns predictions into attempts without looking at the test outputs.
    An output without an attempt gets the competition's placeholder. Predictions for other items are ignored.

    Raises:
        UsageError: another scorer, or an item that belongs to no ARC task; nothing is written.
    """
    judge = arc_scorer(scorer)
    by_id: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        by_id[prediction.id].append(prediction)
    items = [(prompt, by_id[prompt.id]) for prompt in prompts if prompt.id in by_id]
    attempts = {
        prompt.id: tried.grids for (prompt, _), tried in zip(items, judge.attempts(items), strict=True) if tried.grids
    }
    submission, tasks = submission_of(prompts, attempts)
    write_submission(path, submission, tasks)
    return submission
