"""Golden stories, edge cases, trick questions, general knowledge."""

from fractions import Fraction
from math import comb, hypot, lcm, perm

from tests.trainer.reasoning_answers.tools import Prompt, Solver, found, reduced

LEGS = {
    "spiders": 8,
    "ants": 6,
    "horses": 4,
    "crabs": 10,
    "bees": 6,
    "hens": 2,
    "cows": 4,
    "ostriches": 2,
    "lizards": 4,
}
CORNERS = {"triangles": 3, "squares": 4, "rectangles": 4, "pentagons": 5, "hexagons": 6, "heptagons": 7, "octagons": 8,
           "decagons": 10}  # fmt: skip
STRINGS = {"violins": 4, "violas": 4, "cellos": 4, "ukuleles": 4, "standard guitars": 6}
TEAMS = {"soccer": 11, "rugby union": 15, "basketball": 5, "volleyball": 6, "handball": 7}
CARDS = {"all the hearts": 13, "all the aces": 4, "all the sevens": 4, "all the red cards": 26, "face cards": 12}
ATOMS = {("hydrogen", "water"): 2, ("oxygen", "carbon dioxide"): 2, ("hydrogen", "methane"): 4,
         ("hydrogen", "ammonia"): 3, ("oxygen", "ozone"): 3}  # fmt: skip
YEARS = {"Berlin Wall": 1989, "Moon landing": 1969, "Second World War": 1945, "Titanic": 1912, "Bastille": 1789,
         "Columbus": 1492, "Fire of London": 1666, "Declaration of Independence": 1776}  # fmt: skip
PLANETS = ["Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"]
SPANS = {"fortnights": 14, "leap years": 366, "days": 24, "centuries": 100, "decades": 10, "hours": 60}
MONTH_LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def _of_two_kinds(n: Prompt, table: dict[str, int]) -> Fraction:
    """How many there are of `first` and `second` things in "3 spiders and 4 hens", by the table."""
    kinds = sorted((n.text.index(kind), size) for kind, size in table.items() if f" {kind}" in n.text)
    (_, first), (_, second) = kinds
    return n[0] * first + n[1] * second


def _span(n: Prompt) -> Fraction:
    kind = next(kind for kind in SPANS if f"{n[0]} {kind}" in n.text)
    return n[0] * SPANS[kind] + n[1]


def _years_between(text: str) -> int:
    early, late = sorted(year for event, year in YEARS.items() if event in text)
    return late - early


def _right_answers(n: Prompt) -> int:
    count, plus, minus, points = n
    return next(r for r in range(int(count) + 1) if r * plus - (count - r) * minus == points)


def _cheapest_difference(n: Prompt) -> Fraction:
    price, discount, other, shipping, count = n
    return abs(count * other + shipping - count * price * (1 - discount / 100))


def _swapped(n: Prompt) -> int:
    return next(x for x in range(10, 100) if x // 10 + x % 10 == n[0] and x % 10 * 10 + x // 10 - x == n[1])


def _triangle(n: Prompt) -> str:
    a, b, c = sorted(n[:3])
    return "yes" if a + b > c else "no"


# Nothing to compute: the text leaves out a fact on purpose.
OPEN = (
    "discount-without-price", "price-missing", "time-missing", "area-from-perimeter", "ages-one-equation",
    "pages-left-unknown", "percent-of-unknown",
)  # fmt: skip

ANSWERS: dict[str, Solver] = {
    **dict.fromkeys(OPEN, lambda _: "cannot be determined"),
    # golden_quantities
    "orchard-harvest": lambda n: (n[0] * n[1] - n[2]) / n[3],
    "school-trip-cost": lambda n: (n[1] - n[3]) / n[0] + n[2],
    "bakery-flour-days": lambda n: n[0] * n[1] / (n[2] * n[3] / 1000),
    "inheritance-parts": lambda n: n[0] * (1 - n[1] / n[2] - n[3] / n[4]),
    "remaining-fraction-chain": lambda n: n[0] * Fraction(2, 3) * Fraction(3, 4),
    "two-shops-cheaper": _cheapest_difference,
    "zoo-feeding": lambda n: (n[0] * n[1] + n[2] * n[3]) * n[4],
    "water-bill": lambda n: n[0] + min(n[4], n[1]) * n[2] + max(n[4] - n[1], 0) * n[3],
    "plant-growth-two-phases": lambda n: n[0] + n[1] * n[2] + n[3] * n[4],
    "stock-and-orders": lambda n: n[0] - n[1] * n[2] + n[3],
    "concert-hall-income": lambda n: n[0] * n[1] / 100 * (n[2] / 100 * n[3] + (1 - n[2] / 100) * n[4]),
    "savings-race": lambda n: next(w for w in range(999) if n[0] + n[1] * w == n[2] + n[3] * w),
    "carpet-and-border": lambda n: n[0] * n[1] * n[2] + (n[0] + n[1]) * 2 * n[3],
    "marathon-training": lambda n: sum(n[0] + n[1] * week for week in range(int(n[2]))),
    # golden_shapes
    "garden-with-terrace": lambda n: (n[0] * n[1] - n[2] * n[3]) * n[4],
    "aquarium-stones": lambda n: (
        n[0] * n[1] * (n[2] + n[3]) - n[0] * n[1] * n[2] if "rises by" in n.text else n[0] * n[1] * n[3]
    ),
    "kite-string": lambda n: round(hypot(n[0], n[1]), 9),
    "frame-of-picture": lambda n: 2 * (n[0] + n[1]) + 8 * n[2],
    "train-through-tunnel": lambda n: n[1] * n[2] - n[0],
    "there-and-back-average": lambda n: 2 / (1 / n[1] + 1 / n[2]),
    "pool-two-pumps-part": lambda n: (n[0] - n[1] * n[2]) / (n[1] + n[3]),
    "wire-square-to-rectangle": lambda n: n[0] ** 2 - n[1] ** 2,
    "scale-model-car": lambda n: n[1] * n[2] / 100,
    "cake-tins": lambda n: n[0] * n[1] * n[2] / n[4] ** 2,
    "fuel-two-cars": lambda n: (n[0] - n[2]) * n[4] / n[1] * n[3],
    "ring-road-runners": lambda n: n[0] / (n[1] - n[2]),
    "roof-tiles-weight": lambda n: 2 * n[0] * n[1] * n[2] * n[3],
    "angle-parts": lambda n: 180 * max(n) / sum(n),
    # golden_reasoning
    "coins-two-kinds": lambda n: next(d for d in range(99) if 10 * d + 5 * (n[0] - d) == n[3]),
    "father-twice-as-old": lambda n: next(y for y in range(99) if n[1] + y == 2 * (n[0] + y)),
    "three-numbers-sum": lambda n: next(x for x in range(99) if x + (x + n[1]) + (x + n[1] + n[2]) == n[0]),
    "clubs-overlap": lambda n: n[0] - n[1] - n[2] + n[3],
    "at-least-one-red": lambda n: reduced(1 - Fraction(comb(int(n[1]), 2), comb(int(n[0] + n[1]), 2))),
    "lockers-code": lambda n: perm(int(n[1]), 3),
    "lights-together": lambda n: sum(s % lcm(*map(int, n[:3])) == 0 for s in range(1, int(n[3]) + 1)),
    "digit-puzzle-swap": _swapped,
    "cells-at-the-start": lambda n: n[1] / 2 ** int(n[0]),
    "interest-target": lambda n: (n[2] / n[0] - 1) * 100 / n[1],
    "exam-scoring": _right_answers,
    "calendar-page": lambda n: next(x for x in range(1, 20) if x + x + 7 + x + 14 == n[0]),
    "work-left-over": lambda n: (1 - n[2] / n[0]) / (1 / n[0] + 1 / n[1]),
    "bus-every-other-stop": lambda n: n[0] + n[1] * n[2] - n[1] * n[3],
    # golden_edges
    "teams-do-not-fit": lambda n: n[0] / n[1] if n[0] % n[1] == 0 else "impossible",
    "fewer-than-reversed": lambda n: 2 * n[0] + n[1],
    "percentage-points": lambda n: max(n) * (sorted(n)[1] - sorted(n)[0]) / 100,
    "decimal-hours": lambda n: n[0] * 60 + n[1],
    "nails-for-posters": lambda n: 4 * n[0] - 2 * (n[0] - 1),
    "mean-below-zero": lambda n: sum(n[:3]) / 3,
    "unneeded-speed": lambda n: (n[3] + n[4]) / n[0],
    "same-digits-zero": lambda n: (n[0] - n[1]) * n[2] + n[3] - n[4] * n[5],
    "boats-free-seats": lambda n: -n[0] % n[1],
    # edges
    "price-given-after-all": lambda n: n[0] * n[1] + n[2] * n[3],
    "area-of-square-known": lambda n: n[0] ** 2 / 16,
    "irrelevant-weight": lambda n: n[0] * n[1],
    "irrelevant-prices": lambda n: n[1] - n[3],
    "times-zero": lambda n: n[0] * n[1] * n[2] + n[3],
    "nothing-to-share": lambda n: (n[0] - n[0]) / n[-1],
    "division-by-zero": lambda n: "undefined" if n[1:2] == [0] else n[0] / n[1],
    "below-sea-level": lambda n: n[0] + n[1],
    "overdrawn-account": lambda n: n[0] + n[2] - n[1],
    "lift-floors": lambda n: n[0] - n[1] + n[2],
    "nothing-between": lambda n: len([k for k in range(int(n[0]), int(n[1])) if n[0] < k < n[1]]),
    "impossible-triangle": _triangle,
    "possible-triangle": _triangle,
    # tricks
    "all-but": lambda n: n[1],
    "take-away-have": lambda n: min(n),
    "pills-and-gaps": lambda n: (n[0] - 1) * n[1],
    "fence-posts": lambda n: len(range(0, int(n[0]) + 1, int(n[1]))),
    "posts-in-a-ring": lambda n: len(range(0, int(n[0]), int(n[1]))),
    "sawing-a-log": lambda n: n[0] * (n[1] - 1),
    "stairs-between-floors": lambda n: n[2] / (n[1] - n[0]) * (n[4] - n[3]),
    "daughters-and-brother": lambda n: n[0] + 1,
    "who-is-the-last-child": lambda n: found(r'(?:^|says )([A-Z]\w+)(?:\'s|, ")', n.text.replace(',"', ', "')),
    "divide-by-half": lambda n: n[0] * 2 + n[-1],
    "bat-and-ball": lambda n: (n[0] - n[1]) / 2 * 100,
    "same-machines-same-time": lambda n: n[1] * n[4] / n[2] * n[0] / n[3],
    "same-weight": lambda n: "same" if n[0] == n[1] else "different",
    "two-fathers-two-sons": lambda n: 3 * n[0],
    "second-place-overtake": lambda n: found(r"(second|third|fourth|fifth)", n.text),
    "months-with-days": lambda n: sum(length >= n[0] for length in MONTH_LENGTHS),
    "rungs-and-tide": lambda n: 0 if "hangs" in n.text and ("floating" in n.text or "floats" in n.text) else None,
    "eggs-boiling": lambda n: n[0] if n.text.startswith("Cooking") else n[1],
    # knowledge
    "counting-legs": lambda n: _of_two_kinds(n, LEGS),
    "corners-of-polygons": lambda n: _of_two_kinds(n, CORNERS),
    "strings-to-order": lambda n: _of_two_kinds(n, STRINGS) - n[2],
    "players-on-court": lambda n: 2 * _of_two_kinds(n, TEAMS),
    "chess-captures": lambda n: 32 - n[0] - n[1],
    "cards-removed": lambda n: (52 - next(k for words, k in CARDS.items() if words in n.text)) / n[0],
    "water-molecules": lambda n: next(
        k * n[0] for (atom, name), k in ATOMS.items() if f" {atom}" in n.text and name in n.text
    ),
    "years-between-events": lambda n: _years_between(n.text),
    "planets-nearer": lambda n: next(k for k, name in enumerate(PLANETS) if f"than {name}" in n.text),
    "known-time-spans": _span,
    "dice-opposite": lambda n: sum(7 - face for face in n),
    "piano-keys": lambda n: 88 * n[0] - next(k for k in n[1:] if k not in (52, 36)),
    "dwarfs-table": lambda n: 8 * n[0] - n[1],
    "fingers-and-toes": lambda n: 20 * n[0],
    "to-the-boiling-point": lambda n: (100 - n[0]) / n[1],
}
