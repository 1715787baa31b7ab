"""Whether an extracted answer means the same as the right one."""

from fractions import Fraction

from eval.answers.letters import first_letter
from eval.answers.normalise import normalise
from eval.answers.quantity import quantity
from eval.answers.stated import expected_quantity, stated


def same_answer(found: str, right: str) -> bool:
    """Whether the two are equal as normalised text, as quantities, or as the letter of a choice.

    Words around the only number of `found` do not matter if `right` is a number, see `stated`.
    """
    if normalise(found) == normalise(right) or same_quantity(found, right):
        return True
    return len(right) == 1 and "A" <= right <= "J" and first_letter(found) == right


def same_quantity(found: str, right: str, tolerance: Fraction = Fraction(0)) -> bool:
    """Whether `right` is a quantity, and `found` states one that agrees with it."""
    expected = expected_quantity(right)
    got = stated(found) if expected else None
    return expected is not None and got is not None and got.agrees(expected, tolerance)


def vote_key(answer: str, number_expected: bool) -> str:
    """A key that is equal for answers that count as votes for the same one: `72`, `72.0` and `72 in total`."""
    value = stated(answer) if number_expected else quantity(answer)
    if value is None:
        return first_letter(answer) or normalise(answer)
    return f"{value.value} {value.unit if value.known_unit else ''} {value.variable or ''}"
