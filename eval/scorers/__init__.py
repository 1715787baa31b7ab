"""The scorers, one file each, by name. docs/evaluation.md has the semantics of each."""

from eval.scorers.answer import AnswerScorer
from eval.scorers.arc import ArcScorer
from eval.scorers.arc_grid import ArcGridScorer
from eval.scorers.arc_program import ArcProgramScorer
from eval.scorers.base import Scorer
from eval.scorers.choice import ChoiceScorer
from eval.scorers.contains import ContainsScorer
from eval.scorers.exact import ExactScorer
from eval.scorers.format import FormatScorer
from eval.scorers.numeric import NumericScorer
from podium.core.errors import UsageError

SCORERS: dict[str, type[Scorer]] = {
    scorer.name: scorer
    for scorer in (
        *(AnswerScorer, ExactScorer, NumericScorer, ChoiceScorer, ContainsScorer, FormatScorer),
        *(ArcGridScorer, ArcProgramScorer),
    )
}
DEFAULT = AnswerScorer.name


def get_scorer(spec: str) -> Scorer:
    """The scorer of a name, or of a name with an option: `numeric:0.01`. Raises UsageError for an unknown one."""
    name, colon, option = spec.partition(":")
    if name not in SCORERS:
        raise UsageError(f"scorer {name!r}, must be one of {', '.join(SCORERS)}")
    return SCORERS[name](option if colon else None)


def arc_scorer(spec: str) -> ArcScorer:
    """The scorer of ARC grids or programs. Raises UsageError for any other."""
    scorer = get_scorer(spec)
    if not isinstance(scorer, ArcScorer):
        raise UsageError(f"scorer {spec!r} makes no attempts; a submission needs arc_grid or arc_program")
    return scorer
