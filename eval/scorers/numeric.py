"""`numeric` or `numeric:0.01`: the extracted number is within a tolerance of the expected one."""

import math
from fractions import Fraction

from eval.answers.compare import same_quantity, vote_key
from eval.answers.extract import Extracted, extract, last_number
from eval.answers.stated import expected_quantity
from eval.scorers.extracting import ExtractingScorer
from podium.core.errors import UsageError
from podium.core.records import Sample

TOLERANCE = 1e-6


class NumericScorer(ExtractingScorer):
    name = "numeric"
    version = "2"

    def __init__(self, option: str | None = None) -> None:
        """Raises UsageError unless the option is a tolerance >= 0 and < 1."""
        self._option = option
        self._tolerance = _tolerance(option) if option is not None else Fraction(TOLERANCE)

    @property
    def spec(self) -> str:
        return self.name if self._option is None else f"{self.name}:{self._option}"

    def check(self, sample: Sample) -> None:
        for right in (sample.expected_answer, *sample.accepted):
            if expected_quantity(right) is None:
                raise UsageError(
                    f"item {sample.id!r}: the answer is {right!r}, must be a number for scorer {self.name}"
                )

    def strict(self, text: str) -> Extracted | None:
        return extract(text)

    def lenient(self, text: str, sample: Sample) -> Extracted | None:
        del sample
        return last_number(text)

    def same(self, found: str, right: str) -> bool:
        return same_quantity(found, right, self._tolerance)

    def vote_key(self, extracted: str, sample: Sample) -> str:
        del sample
        return vote_key(extracted, number_expected=True)


def _tolerance(option: str) -> Fraction:
    try:
        value = float(option)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise UsageError(f"scorer 'numeric:{option}': the tolerance must be a number >= 0 and < 1")
    return Fraction(repr(value))  # as it is written; an exponent of many digits never becomes a fraction
