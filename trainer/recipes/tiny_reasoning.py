"""`tiny-reasoning` and `tiny_v1`: short worked problems that a tiny model can learn in seconds.

Every step is one small fact (a sum of digits, a neighbouring letter), so unseen prompts are new compositions of known
facts. A prompt belongs to the evaluation side by a hash of its text, so the two sets cannot share one.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Literal, TypeVar

from podium.core.records import ReasoningTrace, Sample, TraceStep

Side = Literal["train", "eval"]
T = TypeVar("T")

EVAL_PERCENT = 12  # of all prompts
DIGITS = range(10)
OPERANDS = range(1, 5)  # of sums: few facts, so that each is seen often
LETTERS = "abcdefghijklmnopqrstuvwxyz"
CONSONANTS, VOWELS = "bdhklmnprsvwz", "aeiou"
DIFFICULTIES = ("easy", "medium", "hard")


@dataclass(frozen=True)
class Problem:
    prompt: str
    steps: tuple[str, ...]
    answer: str
    level: int  # 0 easy, 1 medium, 2 hard


def _pick(rng: Random, items: Sequence[T]) -> T:
    # Only random() has a sequence that Python promises to keep from version to version.
    return items[int(rng.random() * len(items))]


def _sums(rng: Random, value: int, count: int) -> tuple[list[tuple[str, int]], list[str]]:
    """`count` operations on `value` that stay within 0 to 9: [("+", 4), ...] and the steps ["3+4=7", ...]."""
    operations, steps = [], []
    for _ in range(count):
        additions = [("+", d) for d in OPERANDS if value + d <= 9]
        sign, digit = _pick(rng, additions + [("-", d) for d in OPERANDS if d <= value])
        result = value + digit if sign == "+" else value - digit
        operations.append((sign, digit))
        steps.append(f"{value}{sign}{digit}={result}")
        value = result
    return operations, steps


def _sum(rng: Random, level: int) -> Problem:
    """3+4-2=? by 3+4=7, 7-2=5."""
    first = _pick(rng, DIGITS)
    operations, steps = _sums(rng, first, level + 1)
    terms = f"{first}" + "".join(f"{sign}{digit}" for sign, digit in operations)
    prompt = _pick(rng, (f"{terms}=?", f"compute {terms}"))
    return Problem(prompt, tuple(steps), steps[-1][-1], level)


def _scale(rng: Random, level: int) -> Problem:
    """double 3 plus 2 by 3*2=6, 6+2=8."""
    name, first, step, value = _pick(
        rng,
        [("double", d, f"{d}*2={2 * d}", 2 * d) for d in range(5)]
        + [("half of", 2 * d, f"{2 * d}/2={d}", d) for d in range(5)],
    )
    operations, steps = _sums(rng, value, max(level, 1))
    words = "".join(f" {'plus' if sign == '+' else 'minus'} {digit}" for sign, digit in operations)
    return Problem(f"{name} {first}{words}", (step, *steps), steps[-1][-1], max(level, 1))


def _extreme(rng: Random, level: int) -> Problem:
    """largest of 3,7,5 by 3,7:7 and 7,5:7, the winner so far."""
    name, better = _pick(rng, (("largest", max), ("smallest", min)))
    digits = [_pick(rng, DIGITS) for _ in range(level + 2)]
    best, steps = digits[0], []
    for digit in digits[1:]:
        steps.append(f"{best},{digit}:{better(best, digit)}")
        best = better(best, digit)
    return Problem(f"{name} of {','.join(map(str, digits))}", tuple(steps), str(best), level)


def _walk(rng: Random, level: int) -> Problem:
    """from k: up up down by k>l, l>m, m>l, along the alphabet."""
    at = _pick(rng, range(4, len(LETTERS) - 4))
    moves = [_pick(rng, (("up", 1), ("down", -1))) for _ in range(level + 2)]
    places = [at]
    for _, by in moves:
        places.append(places[-1] + by)
    steps = tuple(f"{LETTERS[a]}>{LETTERS[b]}" for a, b in pairwise(places))
    opening = _pick(rng, ("from", "start"))
    return Problem(f"{opening} {LETTERS[at]}: {' '.join(name for name, _ in moves)}", steps, steps[-1][-1], level)


def _word(rng: Random, length: int) -> list[str]:
    return [_pick(rng, VOWELS if place % 2 else CONSONANTS) for place in range(length)]


def _letter(rng: Random, level: int) -> Problem:
    """last letter of c-a-t by letter 3 is t."""
    word = _word(rng, 3 + level // 2)
    name, place = _pick(rng, (("first", 1), ("second", 2), ("last", len(word))))
    letter = word[place - 1]
    return Problem(f"{name} letter of {'-'.join(word)}", (f"letter {place} is {letter}",), letter, level)


def _reverse(rng: Random, level: int) -> Problem:
    """reverse c-a-t by t, a, c."""
    word = _word(rng, 2 + level)
    prompt = _pick(rng, ("reverse {}", "spell {} backwards")).format("-".join(word))
    return Problem(prompt, tuple(word[::-1]), "-".join(word[::-1]), level)


def _count(rng: Random, level: int) -> Problem:
    """how many letters in c-a-t by c:1, a:2, t:3."""
    letters = [_pick(rng, LETTERS) for _ in range(_pick(rng, ((2,), (3, 4), (5,))[level]))]
    steps = tuple(f"{letter}:{place}" for place, letter in enumerate(letters, start=1))
    return Problem(f"how many letters in {'-'.join(letters)}", steps, steps[-1][-1], level)


@dataclass(frozen=True)
class Category:
    """`section` is trace_sensitive if the answer needs a chain of results, else core."""

    make: Callable[[Random, int], Problem]
    section: Literal["core", "trace_sensitive"]
    step_type: str
    levels: tuple[int, ...]  # drawn from evenly; see Problem.level
    train_count: int
    eval_count: int


# What to turn when the tiny model should find the set easier or harder.
CATEGORIES = {
    "sum": Category(_sum, "trace_sensitive", "compute", (0, 1, 1, 2), 1300, 80),
    "scale": Category(_scale, "trace_sensitive", "compute", (1, 2), 340, 40),
    "extreme": Category(_extreme, "trace_sensitive", "compare", (0, 1, 1, 2), 860, 72),
    "walk": Category(_walk, "trace_sensitive", "move", (0, 1, 1, 2), 800, 72),
    "letter": Category(_letter, "core", "look", (0, 1, 2), 800, 72),
    "reverse": Category(_reverse, "core", "copy", (0, 1, 1, 2), 1000, 72),
    "count": Category(_count, "core", "count", (0, 1, 1, 2), 900, 72),
}


def side(prompt: str) -> Side:
    """The side of a prompt, which depends on its text only, so that both sides stay disjoint when a recipe changes."""
    bucket = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:4], "big") % 100
    return "eval" if bucket < EVAL_PERCENT else "train"


def problems(name: str, wanted: Side, seed: int) -> Iterator[Problem]:
    """Endless problems of one category and side, no prompt twice. Raises RuntimeError if there are no more."""
    rng = Random(
        f"{name}/{wanted}/{seed}"
    )  # one per category, so that a change of one category does not change the others
    category, misses = CATEGORIES[name], 0
    seen: set[str] = set()
    while True:
        problem = category.make(rng, _pick(rng, category.levels))
        if problem.prompt in seen or side(problem.prompt) != wanted:
            misses += 1
            if misses == 10_000:
                raise RuntimeError(
                    f"category {name!r} has only {len(seen)} prompts on the {wanted} side; ask for fewer"
                )
            continue
        seen.add(problem.prompt)
        misses = 0
        yield problem


def traces(seed: int) -> list[ReasoningTrace]:
    """The training side."""
    rows = [
        ReasoningTrace(
            prompt=problem.prompt,
            final_answer=problem.answer,
            steps=tuple(
                TraceStep(i=i, type=category.step_type, content=c) for i, c in enumerate(problem.steps, start=1)
            ),
            meta={"category": name, "section": category.section, "difficulty": DIFFICULTIES[problem.level]},
        )
        for name, category in CATEGORIES.items()
        for _, problem in zip(range(category.train_count), problems(name, "train", seed), strict=False)
    ]
    return sorted(rows, key=lambda row: _mixed(row.prompt))


def samples(seed: int) -> list[Sample]:
    """The evaluation side."""
    rows = [
        Sample(
            id=f"{name}-{number:03}",
            prompt=problem.prompt,
            expected_answer=problem.answer,
            section=category.section,
            category=name,
            difficulty=DIFFICULTIES[problem.level],
        )
        for name, category in CATEGORIES.items()
        for number, problem in zip(range(1, category.eval_count + 1), problems(name, "eval", seed), strict=False)
    ]
    return sorted(rows, key=lambda row: _mixed(row.prompt))


def _mixed(prompt: str) -> bytes:
    # An order in which any first N rows are a fair sample of the categories.
    return hashlib.sha256(b"order/" + prompt.encode()).digest()
