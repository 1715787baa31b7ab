"""One item and one prediction, judged."""

from collections.abc import Callable

import pytest

from eval.scorers import get_scorer
from eval.scorers.base import Score
from podium.core.records import Prediction, Sample

FACTS = {"prompt": "p", "section": "core", "category": "sum", "difficulty": "easy"}


@pytest.fixture
def judge() -> Callable[..., Score]:
    """`judge("answer", "text", "expected", ...)`: a text of None is a missing prediction."""

    def score(
        scorer: str, text: str | None, expected: str, accepted: tuple[str, ...] = (), n_output_tokens: int | None = None
    ) -> Score:
        sample = Sample(id="a", expected_answer=expected, accepted=accepted, **FACTS)
        judge = get_scorer(scorer)
        judge.check(sample)
        prediction = None if text is None else Prediction(id="a", text=text, n_output_tokens=n_output_tokens)
        return judge.score(sample, prediction)

    return score
