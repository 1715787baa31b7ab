"""The base class of scorers, which turn an item and its predictions into a score with a reason."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from eval.scorers.multi_sample import majority, pass_at_k, reported_ks
from podium.core.errors import UsageError
from podium.core.records import Prediction, Record, Sample

POINTS = 100.0  # the scale that turns a share into points
Metrics = Mapping[str, float]
Item = tuple[Sample, Sequence[Prediction]]


class Score(Record):
    """The score of one item, and the reason for it."""

    id: str
    value: float = Field(ge=0, le=1)
    extracted: str | None  # None if nothing that could be an answer was found
    expected: str
    reason: str
    missing: bool = False  # there was no prediction
    metrics: dict[str, float] = Field(default_factory=dict)  # in addition to the value


class Scorer(ABC):
    """Scores with the same (spec, version) are comparable: a change that can alter a value needs a new version.

    `metrics` declares the further metrics of a scorer: their names, and the scale of their mean.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    metrics: ClassVar[Metrics] = {}
    votes: ClassVar[bool] = True  # whether a majority vote over several predictions is meaningful

    def __init__(self, option: str | None = None) -> None:
        """`option` is the part after the colon of `numeric:0.01`. Raises UsageError for an unsupported option."""
        if option is not None:
            raise UsageError(f"scorer {self.name!r} takes no option, not {option!r}; write {self.name}")

    @property
    def spec(self) -> str:
        """The name with its option, as in `numeric:0.01`."""
        return self.name

    @property
    def title(self) -> str:
        """`answer version 3`: scores with the same title are comparable."""
        return f"{self.spec} version {self.version}"

    def check(self, sample: Sample) -> None:  # noqa: B027 (most scorers accept any item)
        """Raises UsageError if this scorer cannot judge the item, whatever the prediction."""

    def score(self, sample: Sample, prediction: Prediction | None) -> Score:
        """Score one prediction; a missing prediction is wrong."""
        if prediction is None:
            wrong = self._result(sample, 0.0, None, "missing: no prediction for this item")
            return wrong.model_copy(update={"missing": True, "metrics": dict.fromkeys(self.metrics, 0.0)})
        return self._judge(sample, prediction)

    def score_items(self, items: Sequence[Item]) -> list[Score]:
        """One score per item, in order.

        With several predictions, the value of an item is their mean. Every item counts with as many predictions as the
        item with the most; missing ones are wrong.
        """
        n_samples = max((len(predictions) for _, predictions in items), default=0)
        if n_samples <= 1:
            return [self.score(sample, predictions[0] if predictions else None) for sample, predictions in items]
        return [self._combined(sample, predictions, n_samples) for sample, predictions in items]

    def vote_key(self, extracted: str, sample: Sample) -> str:  # noqa: ARG002
        """A key that is equal for extractions that count as votes for the same answer of `sample`."""
        return extracted

    @abstractmethod
    def _judge(self, sample: Sample, prediction: Prediction) -> Score: ...

    def _combined(self, sample: Sample, predictions: Sequence[Prediction], n_samples: int) -> Score:
        scores = [self.score(sample, prediction) for prediction in predictions] or [self.score(sample, None)]
        keys = [None if score.extracted is None else self.vote_key(score.extracted, sample) for score in scores]
        winner, n_votes = majority(keys)
        n_right = sum(score.value == 1 for score in scores)
        metrics = {name: sum(score.metrics[name] for score in scores) / n_samples for name in self.metrics}
        if self.votes:
            metrics["majority"] = scores[winner].value
        metrics |= {f"pass@{k}": pass_at_k(n_samples, n_right, k) for k in reported_ks(n_samples)}
        vote = f"; majority, {n_votes} votes: {scores[winner].reason}" if self.votes and n_votes else ""
        return scores[winner].model_copy(
            update={
                "value": sum(score.value for score in scores) / n_samples,
                "reason": f"{n_right} of {n_samples} right{vote}",
                "metrics": metrics,
            }
        )

    @staticmethod
    def _result(
        sample: Sample, value: float, extracted: str | None, reason: str, metrics: dict[str, float] | None = None
    ) -> Score:
        return Score(
            id=sample.id,
            value=value,
            extracted=extracted,
            expected=sample.expected_answer,
            reason=reason,
            metrics=metrics or {},
        )
