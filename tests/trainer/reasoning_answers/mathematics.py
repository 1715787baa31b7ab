"""Geometry, units, algebra, sequences, number theory, counting, arithmetic, precision, knowledge."""

from collections.abc import Callable
from fractions import Fraction
from math import comb, factorial, floor, gcd, lcm, perm, prod

from tests.trainer.reasoning_answers.tools import Prompt, Solver, found, reduced, root, rounded, word


def _divisors(n: Fraction) -> list[int]:
    return [d for d in range(1, int(n) + 1) if n % d == 0]


def _two_digits(rule: Callable[[int, int], bool]) -> int:
    """The only two-digit number (tens, ones) that meets `rule`."""
    (only,) = [10 * t + u for t in range(1, 10) for u in range(10) if rule(t, u)]
    return only


def _missing_digit(text: str) -> int:
    left, right = found(r"(\d+)[_*]\d", text), found(r"\d[_*](\d)", text)
    (only,) = [d for d in range(1, 10) if int(f"{left}{d}{right}") % 9 == 0]
    return only


def _least_with_remainder(n: Prompt) -> int:
    rest, divisors = n[0], [d for d in n if d != n[0]]
    return next(x for x in range(int(rest) + 1, 10_000) if all(x % d == rest for d in divisors))


def _expected_throws(n: Prompt) -> Fraction:
    rules = {"at least five": (5, 6), "even": (2, 4, 6), "exactly six": (6,), "less than five": (1, 2, 3, 4)}
    (faces,) = [faces for words, faces in rules.items() if words in n.text]
    return n[0] * len(faces) / 6


def _dice(n: Prompt) -> str:
    pairs = [(a, b) for a in range(1, 7) for b in range(1, 7)]
    return reduced(Fraction(sum(a + b == n[0] for a, b in pairs), len(pairs)))


def _next_square(n: Prompt) -> Fraction:
    c, d = (n[3], n[4]) if n.text.startswith("Take") else (n[2], n[3])
    return d + (d - c) + 2  # the gaps between squares grow by two


ANSWERS: dict[str, Solver] = {
    # geometry
    "rectangle-fence": lambda n: n[0] + n[1] + n[0] + n[1] - n[2],
    "square-from-perimeter": lambda n: n[0] ** 2 / 16,
    "path-around-pool": lambda n: 2 * n[2] * (n[0] + n[1]) + 4 * n[2] ** 2,
    "triangle-area": lambda n: n[0] * n[1] / 2,
    "ladder-wall": lambda n: root((n[0] - n[1]) * (n[0] + n[1])),
    "walk-diagonal": lambda n: root(n[0] ** 2 + n[1] ** 2),
    "shortcut-saved": lambda n: n[0] + n[1] - root(n[0] ** 2 + n[1] ** 2),
    "box-volume-fill": lambda n: prod(n[:3]) / 2000,
    "cube-surface": lambda n: 6 * n[0] * n[0],
    "cube-from-volume": lambda n: next(k * k for k in range(100) if k**3 == n[0]),
    "l-shape-area": lambda n: n[0] * (n[1] - n[3]) + (n[0] - n[2]) * n[3],
    "tiles-for-floor": lambda n: n[0] * n[1] * 10_000 / n[2] ** 2 + n[3],
    "angles-triangle": lambda n: 180 - n[0] - n[1],
    "angles-isosceles": lambda n: 90 - n[0] / 2,
    "polygon-angle": lambda n: (n[0] - 2) * 180 / n[0],
    "wall-paint-window": lambda n: (n[0] * n[1] - n[2] * n[3]) * n[4],
    "trapezoid-field": lambda n: n[1] * n[2] + (n[0] - n[1]) * n[2] / 2,
    "wheel-distance": lambda n: n[0] / 100 * n[1],
    "scaled-square": lambda n: n[0] ** 2 * (n[1] ** 2 - 1),
    "stacked-boxes": lambda n: prod(n[:3]) / n[3] ** 3,
    # units
    "kilometres-and-metres": lambda n: 1000 * n[0] + n[1] + n[2],
    "grams-per-packet": lambda n: n[0] / (n[1] / 1000),
    "bottles-to-glasses": lambda n: n[0] * n[1] / (n[2] / 1000),
    "speed-conversion": lambda n: n[0] / Fraction("3.6") * n[1],
    "metres-per-second-up": lambda n: n[0] / n[1] * Fraction("3.6"),
    "inches-and-feet": lambda n: n[0] * 12 + n[1],
    "hectares": lambda n: n[0] / 100 * n[1] / 100,
    "minutes-and-hours-machine": lambda n: n[0] * (60 * n[1] + n[2]),
    "square-metres-to-cm": lambda n: n[1] * (100 / n[0]) ** 2,
    "temperature-fahrenheit": lambda n: n[-1] * Fraction("1.8") + 32,
    "temperature-celsius": lambda n: (int(found(r"(-?\d+) degrees Fahrenheit", n.text)) - 32) / Fraction("1.8"),
    "dozens-and-gross": lambda n: 12 * (12 * n[2] + n[3]) - n[4],
    "days-hours-total": lambda n: n[0] * 1440 + n[1] * 60,
    "made-up-units": lambda n: n[0] * n[1] * n[2] + n[3],
    "tare-weight": lambda n: (n[0] - n[1] / 1000) * 1000,
    # algebra
    "linear-one-step": lambda n: next(x for x in range(100) if n[0] * x + n[1] == n[2]),
    "linear-both-sides": lambda n: next(x for x in range(100) if n[0] * x + n[1] == n[2] * x + n[3]),
    "linear-brackets": lambda n: next(y for y in range(100) if n[-3] * (y - n[-2]) == n[-1]),
    "sum-and-difference": lambda n: next(x for x in range(200) if x - (n[0] - x) == n[1]),
    "consecutive-sum": lambda n: n[0] / word(r"(three|five)", n.text) + word(r"(three|five)", n.text) // 2,
    "think-of-a-number": lambda n: next(x for x in range(100) if x * n[0] - n[1] == n[2]),
    "think-backwards-three": lambda n: next(x for x in range(100) if (x + n[0]) * n[1] - n[2] == n[3]),
    "two-equations": lambda n: n[0] - (n[2] - n[0]) / (n[1] - 1),
    "legs-and-heads": lambda n: next(r for r in range(100) if 4 * r + 2 * (n[0] - r) == n[1]),
    "rectangle-unknown-side": lambda n: (n[1] - 2 * n[0]) / 4,
    "function-value": lambda n: n[0] * n[3] ** 2 + n[2],
    "proportional-constant": lambda n: n[0] * n[2] / n[1],
    "inequality-largest": lambda n: max(k for k in range(100) if n[0] * k + n[1] < n[2]),
    "age-ratio-now": lambda n: n[1] - n[1] / (n[0] + 1),
    "square-root-equation": lambda n: next(x for x in range(100) if n[0] * x**2 + n[2] == n[3]),
    # sequences
    "next-arithmetic": lambda n: 2 * n[3] - n[2],
    "next-falling": lambda n: n[3] - (n[0] - n[1]),
    "nth-term": lambda n: list(range(int(n[0]), 10_000, int(n[1] - n[0])))[int(n[3]) - 1],
    "which-place": lambda n: list(range(int(n[0]), 10_000, int(n[1] - n[0]))).index(int(n[3])) + 1,
    "next-geometric": lambda n: n[3] ** 2 / n[2],
    "doubling-days": lambda n: n[0] * 2 ** int(n[1]),
    "half-covered": lambda n: n[0] - next(k for k in range(20) if 2**k == n[2]),
    "sum-first-n": lambda n: sum(range(int(n[-1]) + 1)),
    "sum-of-odds": lambda n: sum(range(1, int(n[-1]) + 1, 2)),
    "fibonacci-like": lambda n: n[3] + 2 * n[4],
    "second-differences": lambda n: 3 * n[4] - 3 * n[3] + n[2],
    "alternating-steps": lambda n: n[4] + n[3] - n[2],
    "squares-shifted": _next_square,
    "matchstick-squares": lambda n: 3 * n[3] + 1,
    "missing-middle": lambda n: (n[1] + n[2]) / 2,
    # number theory
    "gcd-tiles": lambda n: gcd(int(n[0]), int(n[1])),
    "lcm-buses": lambda n: lcm(int(n[0]), int(n[1])),
    "remainder-division": lambda n: n[0] % n[1],
    "last-digit-power": lambda n: pow(int(n[0]), int(n[1]), 10),
    "divisor-count": lambda n: len(_divisors(n[0])),
    "prime-factor-largest": lambda n: max(d for d in _divisors(n[0]) if len(_divisors(Fraction(d))) == 2),
    "digit-sum-nine": lambda n: _missing_digit(n.text),
    "multiples-in-range": lambda n: sum(k % n[0] == 0 for k in range(1, int(n[-1]) + 1)),
    "smallest-divisible": lambda n: _least_with_remainder(n),
    "perfect-square-next": lambda n: next(k * k for k in range(100) if k * k > n[0]),
    "clock-modulo": lambda n: (n[0] + n[1]) % 12,
    "twin-conditions": lambda n: _two_digits(lambda a, b: a + b == n[0] and a - b == n[1]),
    # counting
    "outfits": lambda n: prod(n),
    "handshakes": lambda n: comb(int(n[0]), 2),
    "line-up": lambda n: factorial(int(n[0])),
    "medal-places": lambda n: perm(int(n[0]), 3),
    "committee": lambda n: comb(int(n[0]), 3),
    "bag-of-marbles": lambda n: reduced(n[0] / sum(n)),
    "not-drawn": lambda n: reduced(1 - n[1] / n[0]),
    "two-draws": lambda n: reduced(Fraction(comb(int(n[0]), 2), comb(int(sum(n)), 2))),
    "dice-sum": lambda n: _dice(n),
    "expected-count": _expected_throws,
    "socks-in-the-dark": lambda n: len(n) + 1,
    "colour-certain": lambda n: sum(n[:2]) + 1,
    "routes-grid": lambda n: comb(int(sum(n)), int(n[1])),
    # arithmetic
    "order-of-operations": lambda n: n[0] + n[1] * n[2] - n[3],
    "brackets-first": lambda n: (n[0] - n[1]) * n[2] + n[3] * n[4],
    "large-sum": lambda n: sum(n),
    "split-multiplication": lambda n: prod(n),
    "near-hundred": lambda n: prod(n),
    "exact-quotient": lambda n: max(n) / min(n),
    "powers-combined": lambda n: n[0] ** int(n[1]) + n[2] ** int(n[3]),
    "fraction-of-amount": lambda n: n[2] * n[0] / n[1],
    "adding-fractions": lambda n: reduced(n[0] / n[1] + n[2] / n[3]),
    "multiply-fractions": lambda n: reduced(n[0] / n[1] * n[2] / n[3]),
    "decimal-sum": lambda n: n[0] + n[1],
    "decimal-product": lambda n: n[0] * n[1],
    "negative-chain": lambda n: n[0] - n[1] + n[2],
    "product-of-negatives": lambda n: n[0] * n[1] - n[2],
    "difference-of-squares": lambda n: n[0] * n[1],
    "larger-by-how-much": lambda n: n[0] * n[1] - n[2] * n[3],
    # precision
    "round-quotient": lambda n: rounded(n[0] / n[1], 2),
    "mean-one-decimal": lambda n: rounded(sum(n) / 3, 1),
    "price-with-cents": lambda n: rounded(n[0] * n[1], 2),
    "change-with-cents": lambda n: rounded(20 - n[0] - n[1], 2),
    "round-to-thousand": lambda n: round(int(n[0]), -3),
    "circle-circumference": lambda n: rounded(2 * n[0] * n[1], 1),
    "circle-area": lambda n: rounded(next(r for r in n if r != Fraction("3.14")) * n[0] * n[1], 1),
    "scientific-notation": lambda n: n[0] * 10 ** int(n[2]),
    "percent-to-decimal": lambda n: n[0] / 100,
    "fraction-to-decimal": lambda n: n[0] / n[1],
    "speed-rounded": lambda n: rounded(n[0] / (n[1] + n[2] / 60), 1),
    "cost-per-unit": lambda n: rounded(n[1] / (n[0] / 1000), 2),
    "truncate-or-round": lambda n: rounded(Fraction(floor(n[0] / n[1] * 100), 100), 2),
    "split-cents": lambda n: n[0] * 100 % n[1],
}
