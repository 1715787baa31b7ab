"""`contains`: the text contains the expected answer or an accepted one, as whole words."""

import re

from eval.answers.normalise import normalise
from eval.scorers.base import Score, Scorer
from podium.core.records import Prediction, Sample


class ContainsScorer(Scorer):
    name = "contains"
    version = "2"
    votes = False

    def _judge(self, sample: Sample, prediction: Prediction) -> Score:
        text = prediction.text.strip()
        if not text:
            return self._result(sample, 0.0, None, "empty: the prediction holds no text")
        for right in (sample.expected_answer, *sample.accepted):
            if _contains(normalise(text), normalise(right)):
                return self._result(sample, 1.0, right, f"whole text: contains {right!r}")
        return self._result(sample, 0.0, text, f"whole text: does not contain {sample.expected_answer!r}")


def _contains(text: str, answer: str) -> bool:
    """Whether `answer` is in `text` as whole words or numbers: 5 is not in 15, 1.5, 5.2 or -5."""
    before = r"(?<!\w)(?<!\d\.)" + (r"(?<!-)" if answer[:1].isdigit() else "")
    return re.search(before + re.escape(answer) + r"(?!\w)(?!\.\d)", text) is not None
