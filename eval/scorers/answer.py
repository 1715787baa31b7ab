"""`answer`: the extracted answer equals the expected one, or an accepted one, once both are normalised."""

from eval.extract import extract
from eval.normalise import normalise
from eval.scorer import Score, Scorer
from podium.core.records import Prediction, Sample


class AnswerScorer(Scorer):
    name = "answer"
    version = "1"

    def _judge(self, sample: Sample, prediction: Prediction) -> Score:
        found = extract(prediction.text)
        if found is None:
            return self._result(sample, 0.0, None, "empty: the prediction holds no text")
        for right in (sample.expected_answer, *sample.accepted):
            if normalise(found.answer) == normalise(right):
                return self._result(sample, 1.0, found.answer, f"{found.rule}: equals {right!r}")
        return self._result(sample, 0.0, found.answer, f"{found.rule}: is not {sample.expected_answer!r}")
