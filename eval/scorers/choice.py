"""`choice`: the letter of a multiple-choice answer, A to E, or the text of the right choice if it is accepted."""

import re

from eval.answers.extract import Extracted, extract
from eval.answers.letters import REASON, first_letter
from eval.answers.normalise import normalise
from eval.answers.visible import visible
from eval.scorers.extracting import ExtractingScorer
from podium.core.errors import UsageError
from podium.core.records import Sample

LETTERS = "ABCDE"
_ANYWHERE = re.compile(rf"(?<![\w'’])[A-E](?![\w'’])(?={REASON}|(?!\s+[a-z]))")


class ChoiceScorer(ExtractingScorer):
    name = "choice"
    version = "2"

    def check(self, sample: Sample) -> None:
        if sample.expected_answer not in tuple(LETTERS):
            raise UsageError(f"item {sample.id!r}: expected_answer {sample.expected_answer!r}, must be a letter A to E")

    def strict(self, text: str) -> Extracted | None:
        """The letter at the start of the extracted answer; without one, the whole answer."""
        found = extract(text)
        letter = first_letter(found.answer) if found else None
        return Extracted(letter, found.rule) if found and letter else found

    def lenient(self, text: str, sample: Sample) -> Extracted | None:
        """The last capital letter that stands alone."""
        del sample
        letters = _ANYWHERE.findall(visible(text))
        return Extracted(letters[-1], "last letter") if letters else None

    def same(self, found: str, right: str) -> bool:
        return normalise(found) == normalise(right)
