"""`answer`: the extracted answer is equal in meaning to the expected answer or an accepted one."""

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
        """The last number if a number is expected, else None."""
        wanted = (sample.expected_answer, *sample.accepted)
        return last_number(text) if any(quantity(right) for right in wanted) else None

    def same(self, found: str, right: str) -> bool:
        return same_answer(found, right)

    def vote_key(self, extracted: str) -> str:
        return str(quantity(extracted) or normalise(extracted))
