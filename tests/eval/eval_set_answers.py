"""Every answer of eval_v1 and eval_v2 a second time: worked out by search, simulation or formula, or a known fact.

A number is compared exactly with the answer's value, a text letter by letter.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction as F
from itertools import count, product
from math import factorial, hypot, isqrt


def first(rule: Callable[[int], bool], start: int = 0) -> int:
    """The smallest number from `start` on that meets `rule`."""
    return next(n for n in count(start) if rule(n))


def rounded(value: F | Decimal, places: int) -> str:
    exact = Decimal(value.numerator) / Decimal(value.denominator) if isinstance(value, F) else value
    return str(exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def collatz(n: int, steps: int) -> int:
    for _ in range(steps):
        n = n // 2 if n % 2 == 0 else 3 * n + 1
    return n


def simultaneous(*rules: Callable[[int, int], bool]) -> tuple[int, int]:
    """The only pair of numbers up to 100 that meets all rules."""
    (only,) = [(x, y) for x, y in product(range(101), repeat=2) if all(rule(x, y) for rule in rules)]
    return only


def digit_sum(n: int) -> int:
    return sum(map(int, str(n)))


def days_of_painting() -> F:
    """v2-trace-006: whole jobs, three painters in 8 days, a fourth after 2."""
    rate = F(1, 3 * 8)
    return (1 - 2 * 3 * rate) / (4 * rate)


def moving_minutes() -> int:
    return (datetime(2000, 1, 1, 13, 25) - datetime(2000, 1, 1, 9, 40)).seconds // 60 - 15


X, Y = simultaneous(lambda x, y: x + y == 13, lambda x, y: x - y == 5)
P, Q = simultaneous(lambda x, y: 3 * x - 2 * y == 4, lambda x, y: x + y == 13)
A, B = 3, 7  # the numbers with sum 10 and product 21

EVAL_V1: dict[str, object] = {
    "v1-core-001": 986 + 1205,
    "v1-core-002": first(lambda n: n * 8 == 456),
    "v1-core-003": 126 - 12,
    "v1-core-004": first(lambda n: n % 12 == n % 15 == n % 20 == 0, 1),
    "v1-core-005": sum(7 for _ in range(12)),
    "v1-core-006": 8 * 3 // 2,  # three at each corner, each counted twice
    "v1-core-007": isqrt(18 * (18 - 9) * (18 - 12) * (18 - 15)),  # Heron
    "v1-core-008": hypot(16 / 2, 30 / 2),
    "v1-core-009": timedelta(minutes=12).seconds,
    "v1-core-010": F("42.195") * 1000,
    "v1-core-011": F("2.5") * 3600 / 1000,
    "v1-core-012": "Paris",
    "v1-core-013": "Pacific",
    "v1-core-014": "0",
    "v1-core-015": "hydrogen",
    "v1-core-016": "Leonardo da Vinci",
    "v1-core-017": "1945",
    "v1-core-018": F(65, 5),
    "v1-core-019": first(lambda x: 3 * (2 * x - 1) == 27),
    "v1-core-020": sum(x for x in range(-50, 50) if x * x - 9 * x + 14 == 0),
    "v1-core-021": A**2 + B**2,
    "v1-core-022": list(range(100, 0, -7))[4],
    "v1-core-023": list(range(1, 100, 2))[19],
    "v1-core-024": first(lambda n: sum(range(n + 1)) == 210),
    "v1-core-025": datetime.strptime("7:30 pm", "%I:%M %p").strftime("%H:%M"),
    "v1-core-026": "".join(reversed("stone")),
    "v1-core-027": ", ".join(map(str, sorted([19, 4, 27, 8], reverse=True))),
    "v1-core-028": round(48.76),
    "v1-core-029": rounded(F(2, 3), 2),
    "v1-core-030": F("1.05") ** 3,
    "v1-trace-001": 24 - 9 + 15,
    "v1-trace-002": F(6, 24) * 120,
    "v1-trace-003": F(18000 * 2, 3) / 40 / 60,
    "v1-trace-004": 28 * F(3, 4) * F(1, 3),
    "v1-trace-005": first(lambda m: F(m) - F(m, 2) - F(m, 2) / 3 == 16),
    "v1-trace-006": 70 * F(300, 70 + 80),
    "v1-trace-007": 2 * len(range(0, 90 + 1, 6)),
    "v1-trace-008": first(lambda p: F(p) * F(5, 4) * F(4, 5) == 60),
    "v1-trace-009": 1 / (F(1, 6) + F(1, 4) - F(1, 12)),
    "v1-trace-010": isqrt(81) * 7 - digit_sum(81),
    "v1-trace-011": first(lambda d: 50 - d - 5 == 7 * (d - 5)),
    "v1-trace-012": 81 * F(2, 3) ** 4,
    "v1-edge-001": 8 * 0 + 8,
    "v1-edge-002": F(0, 10),
    "v1-edge-003": 65 + 48,
    "v1-edge-004": "cannot be determined",  # Paul and Sam are each older than Rita, and not compared
    "v1-edge-005": abs(-19),
    "v1-edge-006": "none",  # squares of real numbers are not negative
    "v1-edge-007": max(n for n in range(200) if n * n < 200),
    "v1-edge-008": sum((hour - 1) % 12 + 1 for hour in range(1, 25)),
}

EVAL_V2: dict[str, object] = {
    "v2-core-001": first(lambda n: n + 268 == 847),
    "v2-core-002": sum(36 for _ in range(25)),
    "v2-core-003": F(96, 4) + F(45, 3),
    "v2-core-004": 5 + F(3 * 64, 6),
    "v2-core-005": pow(2, 10, 7),
    "v2-core-006": sum(n for n in range(1, 101) if n % 6 == 0),
    "v2-core-007": F(7, 12) - F(1, 4),
    "v2-core-008": len(str(factorial(50))) - len(str(factorial(50)).rstrip("0")),
    "v2-core-009": first(lambda n: n * n == 169),
    "v2-core-010": 3 * 180,  # three triangles
    "v2-core-011": 9 + 18 + 9 + 18,
    "v2-core-012": 7 * isqrt((25 - 7) * (25 + 7)) // 2,
    "v2-core-013": 5**2 * 8,
    "v2-core-014": first(lambda a: a + 4 * a == 180),
    "v2-core-015": F(10 * 10 * 2, 2) / 4,  # the side's square is half the diagonal's, the radius half a side
    "v2-core-016": F("3.4") * 1000,
    "v2-core-017": timedelta(hours=5, minutes=20).seconds // 60,
    "v2-core-018": first(lambda yards: yards * 3 == 84),
    "v2-core-019": F("2.5") * 3600 / 1000,
    "v2-core-020": F("0.06") * 100 * 100,
    "v2-core-021": F("2.54") * 15,
    "v2-core-022": F(24 * 3600, 2) * F("0.05") / 1000,
    "v2-core-023": "Au",
    "v2-core-024": "Jupiter",
    "v2-core-025": "Canberra",
    "v2-core-026": "206",
    "v2-core-027": "Shakespeare",
    "v2-core-028": "nitrogen",
    "v2-core-029": "1989",
    "v2-core-030": "hypotenuse",
    "v2-core-031": "Russia",
    "v2-core-032": 2000 - 1969,  # Apollo 11
    "v2-core-033": 6 * 6 + 8,  # carbon is number 6; eight planets
    "v2-core-034": first(lambda x: x + 17 == 42),
    "v2-core-035": 4 * 6 - 3 * 5,
    "v2-core-036": first(lambda x: x - 9 == 21),
    "v2-core-037": X * Y,
    "v2-core-038": (1 + 4) * (1 - 7) - 4 * -7 - 1,  # the value at 1, less the constant and the square
    "v2-core-039": first(lambda k: k * 3 + 2 == 14),
    "v2-core-040": first(lambda n: n % 2 == 0 and n * (n - 2) == 168, 2),
    "v2-core-041": 2 * 3**4,
    "v2-core-042": range(5, 30, 6)[3],
    "v2-core-043": sum(range(1, 20, 2)),  # the sum of the first ten odd numbers
    "v2-core-044": 2**5 + 1,
    "v2-core-045": fibonacci(12),
    "v2-core-046": len(range(7, 200, 4)),
    "v2-core-047": "four thousand seventy-two",
    "v2-core-048": datetime.strptime("March 9, 2024", "%B %d, %Y").date().isoformat(),
    "v2-core-049": " ".join(["red", "green", "blue"]).upper(),
    "v2-core-050": f"{1234567.5:,.2f}",
    "v2-core-051": datetime(2000, 1, 1, 17, 5).strftime("%I:%M %p").lstrip("0").lower(),
    "v2-core-052": f"{3 / 8:.1%}",
    "v2-core-053": "".join(c for c in reversed("algorithm") if c not in "aeiou").upper(),
    "v2-core-054": rounded(Decimal("3.14159"), 3),
    "v2-core-055": Decimal("0.1") + Decimal("0.2"),
    "v2-core-056": int(f"{Decimal('0.00052'):e}".partition("e")[2]),
    "v2-core-057": rounded(F(22, 7), 4),
    "v2-core-058": max(F("0.45"), F(4, 9)),
    "v2-core-059": len("4070"),  # leading zeros do not count, the last zero does
    "v2-core-060": rounded(Decimal(50).sqrt(), 3),
    "v2-trace-001": 240 - F(240, 3) - 45,
    "v2-trace-002": sum(20 if day % 7 in (5, 6) else 12 for day in range(21)),
    "v2-trace-003": F(2, 12) * 30 - 3,
    "v2-trace-004": first(lambda miles: 35 * 4 + F("0.2") * miles == 188),
    "v2-trace-005": list(range(12, 100, 2))[17],
    "v2-trace-006": days_of_painting(),
    "v2-trace-007": next(2 * bo for bo in range(180) if 2 * bo + bo + bo + 20 == 180),
    "v2-trace-008": first(lambda hours: 90 - 6 * hours == 30),
    "v2-trace-009": F(80 * moving_minutes(), 60),
    "v2-trace-010": 14 * 25 * F(6, 7),
    "v2-trace-011": next(3 * s for s in range(1, 99) if 3 * s + 6 == 2 * (s + 6)),
    "v2-trace-012": 50 * (14 - 8) - 10 * 8,
    "v2-trace-013": 90 / (F(3, 5) - F(3, 8)),
    "v2-trace-014": 40 + 4,
    "v2-trace-015": 1240 + 650 + 420 - 180,
    "v2-trace-016": next(2 * red - 15 for red in range(85) if red + 2 * red + 2 * red - 15 == 85),
    "v2-trace-017": F("1.5") / (F(1, 60) + F(1, 40)),
    "v2-trace-018": F(50 + 14, 8) * 5 - 12,
    "v2-trace-019": digit_sum((7**2 - 1) // 2),
    "v2-trace-020": 2 * P + 3 * Q,
    "v2-trace-021": (2 * 4 - 3) ** 2 + 1,
    "v2-trace-022": collatz(6, 6),
    "v2-trace-023": (9 + 14) + 14,
    "v2-trace-024": (30 - 8) * (20 - 8) * 4,
    "v2-trace-025": next(8 * w for w in range(99) if w * 3 * w == 147),
    "v2-edge-001": F(0, 9),
    "v2-edge-002": 5 + 8,
    "v2-edge-003": (5 + 2) * 0,
    "v2-edge-004": 17**0,
    "v2-edge-005": F(0, 4 + 6),
    "v2-edge-006": 40 - 33,
    "v2-edge-007": "no solution",  # 3 is not 7
    "v2-edge-008": "cannot be determined",  # sisters say nothing of brothers
    "v2-edge-009": sum(range(-20, 21)),
    "v2-edge-010": max(F(-1, 2), F(-1, 3)),
    "v2-edge-011": min(n for n in range(-10, 10) if n > -2.5),
    "v2-edge-012": "cannot be determined",  # 5 and 5 give 25, 4 and 6 give 24
    "v2-edge-013": "".join(map(str, range(1, 21))).count("1"),
    "v2-edge-014": (date(2024, 2, 28) + timedelta(days=1)).isoformat(),
    "v2-edge-015": f"{(F(9, 10) * F(11, 10) - 1) * 100}%",
}
