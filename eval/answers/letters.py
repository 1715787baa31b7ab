"""The letter of a multiple-choice answer: (B), [B], B. Paris, option B, B because ..."""

import re

from eval.answers.latex import plain

# One rule for every letter, so that all choices have the same chance: "B because" counts, "A dog" does not.
REASON = r"\s+(?:(?:because|since|as)\b|is\b(?!\s+(?:not|wrong|incorrect|false)\b))"
_AROUND = r"[\s\"'`*_]*"
_FIRST = re.compile(
    rf"{_AROUND}(?:(?:option|choice)\s+)?"
    rf"(?:\(([A-J])\)|\[([A-J])\]|([A-J])(?={_AROUND}(?:$|[).:,;\]]|{REASON})))"
    rf"(?!{_AROUND}(?:,|;|/|&|\band\b|\bor\b)\s*{_AROUND}[(\[]?[A-J]\b)",  # "B, C" and "B or C" are two letters
    re.IGNORECASE,
)


def first_letter(answer: str) -> str | None:
    r"""The capital letter, A to J, that the answer begins with: B of `(B) Paris`, C of `\text{C. Au}`."""
    found = _FIRST.match(plain(answer))
    return (found[1] or found[2] or found[3]).upper() if found else None
