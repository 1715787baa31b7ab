"""`answer`: the extracted answer says what the expected one, or an accepted one, says."""

from eval.answers.extract import Extracted, extract, last_number
from eval.answers.normalise import normalise
from eval.answers.quantity import quantity, same_answer
from eval.scorers.extracting import ExtractingScorer
from podium.core.records import Sample


class AnswerScorer(ExtractingScorer):
    name = "answer"
    version = "2"

    def strict(self, text: str) -> Extracted | None:
        return extract(text)

    def lenient(self, text: str, sample: Sample) -> Extracted | None:
        """The last number, where a number is wanted; words are not looked for."""
        wanted = (sample.expected_answer, *sample.accepted)
        return last_number(text) if any(quantity(right) for right in wanted) else None

    def same(self, found: str, right: str) -> bool:
        return same_answer(found, right)

    def vote_key(self, extracted: str) -> str:
        return str(quantity(extracted) or normalise(extracted))
