"""The base of the ARC scorers: the predictions for an item give two attempts, and one of them must be exact."""

import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from eval.arc.grids import Grid, parse_grid
from eval.scorers.base import Item, Score, Scorer
from podium.core.errors import UsageError
from podium.core.records import Prediction, Prompt, Sample

AnsweredPrompt = tuple[Prompt, Sequence[Prediction]]


@dataclass(frozen=True)
class Attempts:
    """At most two grids, best first; `reason` says how they were chosen, or why there are none."""

    grids: list[Grid]
    reason: str
    metrics: dict[str, float] = field(default_factory=dict)


class ArcScorer(Scorer):
    """The value is that of the competition: 1 if either attempt equals the test output, else 0."""

    @abstractmethod
    def attempts(self, items: Sequence[AnsweredPrompt]) -> list[Attempts]:
        """The attempts of each item, from its one or more predictions; they do not depend on the test output."""

    def check(self, sample: Sample) -> None:
        _expected(sample)

    def score_items(self, items: Sequence[Item]) -> list[Score]:
        answered = [item for item in items if item[1]]
        tried = iter(self.attempts(answered))
        return [self._scored(sample, next(tried)) if found else self.score(sample, None) for sample, found in items]

    def _judge(self, sample: Sample, prediction: Prediction) -> Score:
        return self.score_items([(sample, [prediction])])[0]

    def _scored(self, sample: Sample, tried: Attempts) -> Score:
        expected = _expected(sample)
        right = next((i for i, grid in enumerate(tried.grids, 1) if grid == expected), None)
        verdict = f"attempt {right} is right" if right else "no attempt is right"
        extracted = json.dumps(tried.grids) if tried.grids else None
        return self._result(sample, float(right is not None), extracted, f"{verdict}: {tried.reason}", tried.metrics)


def _expected(sample: Sample) -> Grid:
    try:
        return parse_grid(sample.expected_answer)
    except ValueError as error:
        raise UsageError(f"item {sample.id!r}: expected_answer is not a grid ({error}); import the set again") from None
