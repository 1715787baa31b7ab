"""`exact`: the whole text, stripped of white space, equals the expected answer or an accepted one."""

from eval.scorers.base import Score, Scorer
from podium.core.records import Prediction, Sample


class ExactScorer(Scorer):
    name = "exact"
    version = "1"

    def _judge(self, sample: Sample, prediction: Prediction) -> Score:
        text = prediction.text.strip()
        if not text:
            return self._result(sample, 0.0, None, "empty: the prediction holds no text")
        for right in (sample.expected_answer, *sample.accepted):
            if text == right.strip():
                return self._result(sample, 1.0, text, f"whole text: is {right!r}")
        return self._result(sample, 0.0, text, f"whole text: is not {sample.expected_answer!r}")
