"""`answer`: the extracted answer is equal in meaning to the expected answer or an accepted one."""

from eval.answers.compare import same_answer, vote_key
from eval.answers.extract import Extracted, extract, last_number
from eval.answers.stated import expected_quantity
from eval.scorers.extracting import ExtractingScorer
from podium.core.records import Sample


class AnswerScorer(ExtractingScorer):
    name = "answer"
    version = "3"

    def strict(self, text: str) -> Extracted | None:
        return extract(text)

    def lenient(self, text: str, sample: Sample) -> Extracted | None:
        """The last number if a number is expected, else None."""
        return last_number(text) if _is_number(sample) else None

    def same(self, found: str, right: str) -> bool:
        return same_answer(found, right)

    def vote_key(self, extracted: str, sample: Sample) -> str:
        return vote_key(extracted, _is_number(sample))


def _is_number(sample: Sample) -> bool:
    return any(expected_quantity(right) for right in (sample.expected_answer, *sample.accepted))
