"""The scorers, one file each, by name."""

from eval.scorer import Scorer
from eval.scorers.answer import AnswerScorer
from podium.core.errors import UsageError

SCORERS: dict[str, type[Scorer]] = {scorer.name: scorer for scorer in (AnswerScorer,)}


def get_scorer(name: str) -> Scorer:
    """Raises UsageError for an unknown name."""
    if name not in SCORERS:
        raise UsageError(f"scorer {name!r}, must be one of {', '.join(SCORERS)}")
    return SCORERS[name]()
