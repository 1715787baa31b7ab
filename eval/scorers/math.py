"""`math`: like `answer`, and expressions are right if math-verify finds them equal: 1+x for x+1, 2\\sqrt3, [-2, 7]."""

from collections.abc import Sequence
from importlib.util import find_spec

from eval.answers.compare import same_answer
from eval.answers.expression import expression, may_be_number
from eval.answers.quantity import quantity
from eval.answers.stated import expected_quantity
from eval.scorers.answer import AnswerScorer
from eval.scorers.base import Item, Score
from eval.scorers.math_program import PACKAGE, Pair, Verdict, compare
from podium.core.errors import UsageError
from podium.core.records import Prediction, Sample


class MathScorer(AnswerScorer):
    name = "math"
    version = "1"

    def __init__(self, option: str | None = None) -> None:
        """Raises UsageError for an option, or if math-verify is not installed."""
        super().__init__(option)
        if find_spec(PACKAGE) is None:
            raise UsageError(
                "scorer 'math' needs the package 'math-verify'; install it with .venv/bin/pip install -e '.[math]', "
                "or choose scorer answer"
            )
        self._verdicts: dict[Pair, Verdict] = {}

    def score_items(self, items: Sequence[Item]) -> list[Score]:
        """Compare all expressions first, many in one process of the sandbox."""
        pairs = [
            pair
            for sample, predictions in items
            for prediction in predictions
            for found in (self.strict(prediction.text), self.lenient(prediction.text, sample))
            if found
            for right in (sample.expected_answer, *sample.accepted)
            if (pair := _to_compare(found.answer, right)) and pair not in self._verdicts
        ]
        self._verdicts |= compare(pairs)
        return super().score_items(items)

    def same(self, found: str, right: str) -> bool:
        if super().same(found, right):
            return True
        pair = _to_compare(found, right)
        return pair is not None and self._verdict(pair).same

    def _judge(self, sample: Sample, prediction: Prediction) -> Score:
        score = super()._judge(sample, prediction)
        if score.value or score.extracted is None:
            return score
        pairs = [_to_compare(score.extracted, right) for right in (sample.expected_answer, *sample.accepted)]
        problems = [self._verdict(pair).problem for pair in pairs if pair]
        problem = next((problem for problem in problems if problem), None)
        return score.model_copy(update={"reason": f"{score.reason}; not compared: {problem}"}) if problem else score

    def _verdict(self, pair: Pair) -> Verdict:
        if pair not in self._verdicts:
            self._verdicts |= compare([pair])
        return self._verdicts[pair]


def _to_compare(found: str, right: str) -> Pair | None:
    """The two expressions, if only mathematics can tell whether they are equal."""
    wanted = expected_quantity(right)
    if same_answer(found, right) or (wanted and not may_be_number(found)):
        return None
    if wanted and wanted.value.denominator == 1 and quantity(found):
        return None  # two numbers, of which one is whole
    one, other = expression(right), expression(found)
    return (one, other) if one and other else None
