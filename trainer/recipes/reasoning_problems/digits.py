"""Tasks on the digits of numbers and on other ways to write a number."""

from itertools import pairwise

from trainer.recipes.reasoning_problems.numbers import added
from trainer.recipes.reasoning_problems.problem import Draw, words
from trainer.recipes.reasoning_problems.task import Made, Topic

TASKS = Topic()

ROMAN = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
         (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))  # fmt: skip
UNITS = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
TENS = words("- - twenty thirty forty fifty sixty seventy eighty ninety")


def roman(n: int) -> list[tuple[int, str]]:
    """The parts of `n` as Roman numerals, largest first: 14 is [(10, X), (4, IV)]."""
    parts = []
    for value, letters in ROMAN:
        while n >= value:
            parts.append((value, letters))
            n -= value
    return parts


def in_words(n: int) -> str:
    """253 is two hundred and fifty-three."""
    if n < 20:
        return UNITS[n]
    if n < 100:
        return TENS[n // 10] + (f"-{UNITS[n % 10]}" if n % 10 else "")
    return f"{UNITS[n // 100]} hundred" + (f" and {in_words(n % 100)}" if n % 100 else "")


@TASKS.task("easy", "What is the sum of the digits of {n}?", "Add up all digits of the number {n}.")
def digit_sum(draw: Draw) -> Made:
    n = draw.number(10234, 98765)
    digits = [int(c) for c in str(n)]
    return {"n": n}, [f"Sum: {added(digits)}"], sum(digits)


@TASKS.task(
    "easy", "Write the digits of {n} in reverse order.", "Read the number {n} from right to left. What number is that?"
)
def reverse_digits(draw: Draw) -> Made:
    n = draw.number(1001, 98765)
    while n % 10 == 0:
        n += 1
    return {"n": n}, [("reason", f"The digits from the end are {', '.join(str(n)[::-1])}.")], str(n)[::-1]


@TASKS.task(
    "medium",
    "What is the product of the digits of {n}?",
    "Multiply all digits of {n} with each other. What is the result?",
)
def digit_product(draw: Draw) -> Made:
    digits = [draw.number(2, 9) for _ in range(4)]
    a, b, c, d = digits
    steps = [f"{a} * {b} = {a * b}", f"{a * b} * {c} = {a * b * c}", f"{a * b * c} * {d} = {a * b * c * d}"]
    return {"n": "".join(map(str, digits))}, steps, a * b * c * d


@TASKS.task(
    "medium",
    "What is the {end} number that can be made from the digits {list}, using each exactly once?",
    "Use each of the digits {list} once to form the {end} possible number. Which is it?",
)
def extreme_arrangement(draw: Draw) -> Made:
    digits, end = draw.sample(range(1, 10), 5), draw.pick(("largest", "smallest"))
    ordered = sorted(digits, reverse=end == "largest")
    steps = [("reason", f"Put the {end} digit first, then the next, and so on: {', '.join(map(str, ordered))}.")]
    return {"list": ", ".join(map(str, digits)), "end": end}, steps, "".join(map(str, ordered))


@TASKS.task(
    "easy",
    "How many times does the digit {d} occur in {n}?",
    "Count the digit {d} in the number {n}.",
)
def count_digit(draw: Draw) -> Made:
    d = draw.number(1, 9)
    digits = draw.shuffled([str(d)] * draw.number(2, 4) + [str(draw.number(1, 9)) for _ in range(6)])
    places = [i for i, c in enumerate(digits, 1) if c == str(d)]
    return (
        {"d": d, "n": "".join(digits)},
        [("reason", f"It stands at the places {', '.join(map(str, places))}.")],
        len(places),
    )


@TASKS.task(
    "hard",
    "Write the decimal number {n} in binary.",
    "How is {n} written in base two?",
)
def to_binary(draw: Draw) -> Made:
    n = draw.number(17, 120)
    powers = [2**k for k in range(7, -1, -1) if n & 2**k]
    steps = [("plan", "Split the number into powers of two."), added(powers)]
    steps.append(("reason", f"From {powers[0]} down, write 1 for each power used and 0 for each one not used."))
    return {"n": n}, steps, f"{n:b}"


@TASKS.task(
    "medium",
    "What is the binary number {b} in decimal?",
    "Convert {b} from base two to base ten.",
)
def from_binary(draw: Draw) -> Made:
    n = draw.number(17, 120)
    powers = [2**k for k in range(7, -1, -1) if n & 2**k]
    steps = [("plan", "Add the powers of two at the places with a 1."), added(powers)]
    return {"b": f"{n:b}"}, steps, n


@TASKS.task("medium", "Write {n} in Roman numerals.", "What is {n} as a Roman numeral?")
def to_roman(draw: Draw) -> Made:
    n = draw.number(14, 1999)
    parts = roman(n)
    steps = [
        added([v for v, _ in parts]),
        ("reason", "As letters: " + ", ".join(f"{v} is {t}" for v, t in dict(parts).items()) + "."),
    ]
    return {"n": n}, steps, "".join(t for _, t in parts)


@TASKS.task(
    "medium",
    "What number is the Roman numeral {r}?",
    "Over a door stands {r}. Write this Roman number in ordinary digits.",
)
def from_roman(draw: Draw) -> Made:
    n = draw.number(14, 1999)
    parts = roman(n)
    steps = [("reason", "Parts: " + ", ".join(f"{t} is {v}" for v, t in parts) + "."), added([v for v, _ in parts])]
    return {"r": "".join(t for _, t in parts)}, steps, n


@TASKS.task(
    "easy",
    "Write {n} with commas as thousands separators.",
    "Put commas between the groups of three digits in {n}.",
)
def thousands(draw: Draw) -> Made:
    n = draw.number(12345, 98765432)
    groups = f"{n:,}".split(",")
    return {"n": n}, [("reason", f"Groups of three from the right: {' and '.join(groups)}.")], f"{n:,}"


@TASKS.task(
    "easy",
    "Write {n} with leading zeros so that it has exactly {k} digits.",
    "A ticket number always has {k} digits, filled up with zeros on the left. How does number {n} look?",
)
def zero_padded(draw: Draw) -> Made:
    n, k = draw.number(7, 4999), draw.number(5, 8)
    missing = k - len(str(n))
    return {"n": n, "k": k}, [f"Zeros to add: {k} - {len(str(n))} = {missing}"], f"{n:0{k}}"


@TASKS.task(
    "medium",
    "Add the digits of {n}, then the digits of the result, until one digit is left. Which digit is it?",
    "What is the digital root of {n}, that is, its digit sum taken again and again down to a single digit?",
)
def digital_root(draw: Draw) -> Made:
    n = value = draw.number(23456, 99999)
    steps = []
    while value > 9:
        digits = [int(c) for c in str(value)]
        steps.append(added(digits))
        value = sum(digits)
    return {"n": n}, steps, value


@TASKS.task(
    "easy",
    "Write {n} in English words.",
    "Spell out the number {n} in words, as in two hundred and five.",
)
def number_words(draw: Draw) -> Made:
    n = draw.number(121, 999)
    return {"n": n}, [f"{n // 100} * 100 + {n % 100} = {n}"], in_words(n)


@TASKS.task(
    "easy",
    'Write "{w}" in digits.',
    "Which number, in digits, is {w}?",
)
def words_to_number(draw: Draw) -> Made:
    n = draw.number(121, 999)
    return {"w": in_words(n)}, [f"{n // 100} * 100 + {n % 100} = {n}"], n


@TASKS.task(
    "medium",
    "Strike out every {d} in {n}. What number is left?",
    "What remains of the number {n} when each digit {d} is deleted?",
)
def delete_digit(draw: Draw) -> Made:
    d = draw.number(1, 9)
    others = [str(x) for x in range(1, 10) if x != d]
    digits = draw.shuffled([str(d)] * 2 + [draw.pick(others) for _ in range(5)])
    kept = [c for c in digits if c != str(d)]
    return {"d": d, "n": "".join(digits)}, [("reason", f"The digits that stay are {', '.join(kept)}.")], "".join(kept)


@TASKS.task(
    "hard",
    "Take the digits of {n} with alternating signs, starting with plus: first minus second plus third and so on. "
    "What is the result?",
    "What is the alternating digit sum of {n} (plus, minus, plus, ... from the left)?",
)
def alternating_sum(draw: Draw) -> Made:
    n = draw.number(12345, 98765)
    digits = [int(c) for c in str(n)]
    plus, minus = digits[::2], digits[1::2]
    steps = [
        f"With plus: {added(plus)}",
        f"With minus: {added(minus)}",
        f"Difference: {sum(plus)} - {sum(minus)} = {sum(plus) - sum(minus)}",
    ]
    return {"n": n}, steps, sum(plus) - sum(minus)


@TASKS.task(
    "easy",
    "Are the digits of {n} in increasing order from left to right, each larger than the one before? Answer yes or no.",
    "Does every digit of {n} exceed the digit to its left? Answer yes or no.",
)
def increasing_digits(draw: Draw) -> Made:
    digits = sorted(draw.sample(range(1, 10), 5))
    if draw.pick((True, False)):
        i = draw.number(0, 3)
        digits[i], digits[i + 1] = digits[i + 1], digits[i]
    fall = next((f"Digit {b} follows {a}" for a, b in pairwise(digits) if b <= a), "")
    step = f"{fall}, so the order is broken." if fall else "Each digit is larger than the one before."
    return {"n": "".join(map(str, digits))}, [("reason", step)], "no" if fall else "yes"
