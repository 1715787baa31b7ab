"""The base of `answer`, `numeric` and `choice`: strict and lenient extraction, reported separately."""

from abc import abstractmethod
from typing import ClassVar

from eval.answers.extract import Extracted
from eval.scorers.base import POINTS, Metrics, Score, Scorer
from podium.core.records import Prediction, Sample


class ExtractingScorer(Scorer):
    """The value depends on strict extraction only; the metric `lenient` also counts lenient extraction."""

    metrics: ClassVar[Metrics] = {"lenient": POINTS}

    @abstractmethod
    def strict(self, text: str) -> Extracted | None:
        """The answer where one belongs; None if there is no text."""

    @abstractmethod
    def lenient(self, text: str, sample: Sample) -> Extracted | None:
        """The answer anywhere in the text; None if there is nothing like one."""

    @abstractmethod
    def same(self, found: str, right: str) -> bool: ...

    def _judge(self, sample: Sample, prediction: Prediction) -> Score:
        found = self.strict(prediction.text)
        if found is None:
            where = " outside <think>" if prediction.text.strip() else ""
            return self._result(sample, 0.0, None, f"empty: the prediction holds no text{where}", {"lenient": 0.0})
        right = self._right(sample, found)
        if right is not None:
            return self._result(sample, 1.0, found.answer, f"{found.rule}: equals {right!r}", {"lenient": 1.0})
        reason = f"{found.rule}: is not {sample.expected_answer!r}"
        loose = self.lenient(prediction.text, sample)
        if loose is None or self._right(sample, loose) is None:
            return self._result(sample, 0.0, found.answer, reason, {"lenient": 0.0})
        reason += f"; leniently right: {loose.rule} {loose.answer!r}"
        return self._result(sample, 0.0, found.answer, reason, {"lenient": 1.0})

    def _right(self, sample: Sample, found: Extracted) -> str | None:
        """The correct answer that `found` equals, as written in the evalset; None if it equals none."""
        rights = (sample.expected_answer, *sample.accepted)
        return next((right for right in rights if self.same(found.answer, right)), None)
