"""`choice`: the letter of a multiple-choice answer, A to E, or the text of the right choice if it is accepted."""

import re

from eval.answers.extract import Extracted, extract
from eval.answers.normalise import normalise
from eval.scorers.extracting import ExtractingScorer
from podium.core.errors import UsageError
from podium.core.records import Sample

LETTERS = "ABCDE"
# One rule for every letter, so that all choices have the same chance: "B because" counts, "A dog" does not.
_REASON = r"\s+(?:because|since|as|is)\b"
_FIRST = re.compile(
    rf"[\s\"'`*]*(?:(?:option|choice)\s+)?(?:\(([A-E])\)|([A-E])(?=[\s\"'`*]*(?:$|[).:,;])|{_REASON}))", re.IGNORECASE
)
_ANYWHERE = re.compile(rf"(?<![\w'’])[A-E](?![\w'’])(?={_REASON}|(?!\s+[a-z]))")


class ChoiceScorer(ExtractingScorer):
    name = "choice"
    version = "1"

    def check(self, sample: Sample) -> None:
        if sample.expected_answer not in tuple(LETTERS):
            raise UsageError(f"item {sample.id!r}: expected_answer {sample.expected_answer!r}, must be a letter A to E")

    def strict(self, text: str) -> Extracted | None:
        """The letter at the start of the extracted answer; without one, the whole answer."""
        found = extract(text)
        letter = _FIRST.match(found.answer) if found else None
        return Extracted((letter[1] or letter[2]).upper(), found.rule) if found and letter else found

    def lenient(self, text: str, sample: Sample) -> Extracted | None:
        """The last capital letter that stands alone."""
        del sample
        letters = _ANYWHERE.findall(text)
        return Extracted(letters[-1], "last letter") if letters else None

    def same(self, found: str, right: str) -> bool:
        return normalise(found) == normalise(right)
