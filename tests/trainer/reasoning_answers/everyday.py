"""Shopping, everyday quantities, rates, percentages, ratios."""

from fractions import Fraction
from math import ceil

from tests.trainer.reasoning_answers.tools import Prompt, Solver, percent, word


def _days_to_climb(n: Prompt) -> int:
    depth, up, down = n
    height, day = Fraction(0), 0
    while True:
        day += 1
        height += up
        if height >= depth:
            return day
        height -= down


def _dearer_items(n: Prompt) -> int:
    count, cheap, dear, total = n
    return next(k for k in range(int(count) + 1) if cheap * (count - k) + dear * k == total)


ANSWERS: dict[str, Solver] = {
    # shopping
    "market-change": lambda n: n[4] - (n[0] * n[1] + n[2] * n[3]),
    "box-or-singly": lambda n: n[0] * n[2] - n[1],
    "price-rise": lambda n: n[0] * n[3] * (n[1] + n[2]) - n[0] * n[3] * n[1],
    "saving-for-goal": lambda n: sum([n[0]] * int(n[1])) + n[2],
    "weeks-to-afford": lambda n: (n[1] - n[0]) / (n[2] - n[3]),
    "school-shop-profit": lambda n: n[0] * (n[1] * n[3] - n[2]),
    "family-tickets": lambda n: n[0] * n[2] + n[1] * n[3],
    "how-many-children": lambda n: (n[3] - n[2] * n[0]) / n[1],
    "split-the-bill": lambda n: sum(n[1:]) / n[0],
    "taxi-fare": lambda n: n[0] + n[1] * n[3] + n[2] * n[4],
    "taxi-distance": lambda n: (n[2] - n[0]) / n[1],
    "phone-plans-break-even": lambda n: next(g for g in range(1000) if n[0] + n[1] * g == n[2] + n[3] * g),
    "buy-two-get-one": lambda n: n[0] * (n[1] - n[1] // 3),
    "two-price-total": lambda n: _dearer_items(n),
    "return-and-exchange": lambda n: n[2] - n[0] - n[1],
    "coins-in-a-jar": lambda n: n[0] * 25 + n[1] * 10 + n[2] * 5,
    "allowance-chain": lambda n: n[0] * (1 - n[1] / n[2]) - n[3] + n[4],
    "hire-with-deposit": lambda n: n[1] + n[0] * n[2] * n[3],
    # everyday
    "library-shelves": lambda n: n[0] * n[1] - n[2] + n[3],
    "egg-cartons": lambda n: n[0] * n[1] / n[2],
    "bus-stops": lambda n: n[0] + n[2] + n[4] - n[1] - n[3],
    "sticker-trade": lambda n: n[0] - n[1] * n[2],
    "garden-rows": lambda n: n[0] * n[1] - n[2],
    "reading-pages": lambda n: (n[0] - n[1] * n[2]) / n[3],
    "theatre-seats": lambda n: n[0] * n[1] - (n[2] - n[3]),
    "older-and-younger": lambda n: n[0] * n[1] - n[2],
    "age-sum-future": lambda n: next(x for x in range(99) if x + n[1] + x + n[0] + n[1] == n[2]),
    "equal-teams": lambda n: (n[0] + n[1] - n[2]) / n[3],
    "vans-needed": lambda n: ceil(n[0] / n[1]),
    "ribbons-leftover": lambda n: n[0] % n[1],
    "cinema-popcorn": lambda n: (n[0] + n[1]) * (1 + n[2]),
    "aquarium-fish": lambda n: n[0] + n[0] / 2 + n[0] / 2 + n[1] - n[2],
    "marbles-compare": lambda n: (n[0] - n[1]) * n[2],
    "pizza-slices": lambda n: n[0] * n[1] - n[2] * n[3],
    "steps-in-a-tower": lambda n: sum(n[1] + n[2] * k for k in range(word(r"first (\w+) stair", n.text))),
    "stamps-halving": lambda n: next(x for x in range(0, 999, 2) if x - x // 2 - n[0] == n[1]),
    "water-tank-days": lambda n: n[0] / (n[1] * n[2]),
    "chairs-to-move": lambda n: (n[0] - n[1] - n[2]) / n[3],
    "bead-pattern": lambda n: n[4] - n[3] * sum(n[:3]),
    # rates
    "cyclist-distance": lambda n: n[0] * n[1],
    "two-legs-average": lambda n: (n[0] * n[1] + n[2] * n[3]) / (n[0] + n[2]),
    "meeting-trains": lambda n: n[2] / (n[0] + n[1]),
    "catching-up": lambda n: n[0] * n[1] / (n[2] - n[0]),
    "printing-rate": lambda n: n[0] * n[1] - n[2],
    "two-taps": lambda n: 1 / (1 / n[0] + 1 / n[1]),
    "workers-days": lambda n: n[0] * n[1] / n[2],
    "fuel-needed": lambda n: n[0] / n[1] * n[3] * n[2],
    "leaking-tank": lambda n: n[0] / (n[1] - n[2]),
    "identical-machines": lambda n: n[1] / (n[0] * n[2]) * n[3] * n[4],
    "typing-speed": lambda n: n[0] * n[2] - n[1] * n[2],
    "snail-well": lambda n: _days_to_climb(n),
    "walking-to-school": lambda n: n[0] * n[1] / n[2],
    "hourly-wage-overtime": lambda n: n[0] * (n[1] + n[3] * Fraction(3, 2)),
    "download-time": lambda n: n[0] / (n[1] * 60),
    "candle-burning": lambda n: n[0] / n[1] - n[2],
    "upstream-downstream": lambda n: n[2] / (n[0] + n[1]) + n[2] / (n[0] - n[1]),
    # percentages
    "sale-discount": lambda n: n[0] * (1 - n[1] / 100),
    "tax-on-top": lambda n: n[0] * (1 + n[1] / 100),
    "what-percent": lambda n: percent(n[1] / n[0] * 100),
    "find-the-whole": lambda n: n[1] / (n[0] / 100),
    "up-then-down": lambda n: n[0] * (1 + n[1] / 100) * (1 - n[2] / 100),
    "reverse-discount": lambda n: n[1] / (1 - n[0] / 100),
    "simple-interest": lambda n: n[0] * (1 + n[1] * n[2] / 100),
    "compound-two-years": lambda n: n[0] * (1 + n[1] / 100) ** 2,
    "percent-of-percent": lambda n: n[0] * (n[1] / 100) * (n[2] / 100),
    "percent-increase": lambda n: percent((n[1] / n[0] - 1) * 100),
    "mixture-salt": lambda n: percent(n[0] * n[1] / (n[0] + n[2])),
    "exam-pass-mark": lambda n: n[0] * n[1] / 100 - n[2],
    "population-decline": lambda n: n[0] * (1 - n[1] / 100) + n[2],
    "commission": lambda n: n[0] + n[2] * n[1] / 100,
    "remaining-percent": lambda n: n[2] - n[2] * n[0] / 100 - n[2] * n[1] / 100,
    "two-discounts": lambda n: n[0] * (1 - n[1] / 100) * (1 - n[2] / 100),
    # ratios
    "paint-mix": lambda n: n[2] / n[0] * n[1],
    "share-in-ratio": lambda n: n[0] * n[2] / (n[1] + n[2]),
    "three-way-ratio": lambda n: n[0] * n[3] / sum(n[1:]) - n[0] * n[1] / sum(n[1:]),
    "recipe-scaling": lambda n: n[1] * n[2] / n[0],
    "map-scale": lambda n: n[1] * n[2] / 100 / 1000,
    "mean-of-scores": lambda n: sum(n) / len(n),
    "missing-score": lambda n: next(x for x in range(200) if (n[1] + n[2] + x) / 3 == n[0]),
    "weighted-mean": lambda n: (n[0] * n[1] + n[2] * n[3]) / (n[0] + n[2]),
    "gear-turns": lambda n: n[2] * (n[0] / n[1]),
    "shadow-height": lambda n: n[2] * (n[0] / n[1]),
    "exchange-rate": lambda n: n[0] * n[1] - n[2],
    "concrete-parts": lambda n: n[3] / n[1] * sum(n[:3]),
    "ratio-after-change": lambda n: n[2] * (n[1] - n[0]) / (n[0] + n[1]) - n[3],
    "speed-ratio-laps": lambda n: n[2] / n[0] * n[1],
    "alloy-silver": lambda n: n[1] - n[1] / n[0],
}
