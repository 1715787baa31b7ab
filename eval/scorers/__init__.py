"""The scorers by name, one file each. docs/evaluation.md defines each of them."""

from eval.scorers.answer import AnswerScorer
from eval.scorers.arc import ArcScorer
from eval.scorers.arc_grid import ArcGridScorer
from eval.scorers.arc_program import ArcProgramScorer
from eval.scorers.base import Scorer
from eval.scorers.choice import ChoiceScorer
from eval.scorers.contains import ContainsScorer
from eval.scorers.exact import ExactScorer
from eval.scorers.format import FormatScorer
from eval.scorers.math import MathScorer
from eval.scorers.numeric import NumericScorer
from podium.core.errors import UsageError

SCORERS: dict[str, type[Scorer]] = {
    scorer.name: scorer
    for scorer in (
        *(AnswerScorer, ExactScorer, NumericScorer, ChoiceScorer, ContainsScorer, FormatScorer, MathScorer),
        *(ArcGridScorer, ArcProgramScorer),
    )
}
DEFAULT = AnswerScorer.name


def get_scorer(spec: str) -> Scorer:
    """The scorer for a name, or a name with an option such as `numeric:0.01`. Raises UsageError for an unknown one."""
    name, colon, option = spec.partition(":")
    if name not in SCORERS:
        raise UsageError(f"scorer {name!r}, must be one of {', '.join(SCORERS)}")
    return SCORERS[name](option if colon else None)


def arc_scorer(spec: str) -> ArcScorer:
    """The scorer for `arc_grid` or `arc_program`. Raises UsageError for any other."""
    scorer = get_scorer(spec)
    if not isinstance(scorer, ArcScorer):
        raise UsageError(f"scorer {spec!r} makes no attempts; a submission needs arc_grid or arc_program")
    return scorer
