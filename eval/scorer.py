"""The contract of a scorer: one item and what was predicted for it become a score that explains itself."""

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import Field

from podium.core.records import Prediction, Record, Sample


class Score(Record):
    """What one item got, and why."""

    id: str
    value: float = Field(ge=0, le=1)
    extracted: str | None  # None where there was nothing to extract from
    expected: str
    reason: str
    missing: bool = False  # there was no prediction to judge


class Scorer(ABC):
    """Scores of one (name, version) are comparable; whatever can change a value changes the version."""

    name: ClassVar[str]
    version: ClassVar[str]

    def score(self, sample: Sample, prediction: Prediction | None) -> Score:
        """A missing prediction is wrong: an item that was not reached was not solved."""
        if prediction is None:
            wrong = self._result(sample, 0.0, None, "missing: no prediction for this item")
            return wrong.model_copy(update={"missing": True})
        return self._judge(sample, prediction)

    @abstractmethod
    def _judge(self, sample: Sample, prediction: Prediction) -> Score: ...

    @staticmethod
    def _result(sample: Sample, value: float, extracted: str | None, reason: str) -> Score:
        return Score(id=sample.id, value=value, extracted=extracted, expected=sample.expected_answer, reason=reason)
