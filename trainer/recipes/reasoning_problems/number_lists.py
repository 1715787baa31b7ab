"""Tasks on lists of whole numbers."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from trainer.recipes.reasoning_problems.numbers import added
from trainer.recipes.reasoning_problems.problem import Draw, words
from trainer.recipes.reasoning_problems.task import Made, Topic

TASKS = Topic()


def listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def drawn(draw: Draw, count: int, low: int = 2, high: int = 99) -> list[int]:
    return draw.sample(range(low, high + 1), count)


@TASKS.task(
    "easy",
    "Sort these numbers from {way}, separated by commas: {list}.",
    "Arrange {list} in order, from {way}. Separate the numbers by commas.",
)
def sort_numbers(draw: Draw) -> Made:
    numbers, way = drawn(draw, 6), draw.pick(("smallest to largest", "largest to smallest"))
    ordered = sorted(numbers, reverse=way.startswith("largest"))
    return (
        {"list": listed(numbers), "way": way},
        [("reason", f"First {ordered[0]}, last {ordered[-1]}.")],
        listed(ordered),
    )


@TASKS.task(
    "easy",
    "What is the second largest number in the list {list}?",
    "Find the largest of {list}, leave it out, and give the largest of the others.",
)
def second_largest(draw: Draw) -> Made:
    numbers = drawn(draw, 6)
    top, second = sorted(numbers)[:-3:-1]
    return {"list": listed(numbers)}, [("reason", f"The largest is {top}; of the others it is {second}.")], second


@TASKS.task(
    "medium",
    "What is the median of {list}?",
    "Find the middle value of the numbers {list} once they are sorted.",
)
def median(draw: Draw) -> Made:
    numbers = drawn(draw, draw.pick((5, 7)))
    ordered = sorted(numbers)
    middle = ordered[len(ordered) // 2]
    return (
        {"list": listed(numbers)},
        [("reason", f"Sorted: {listed(ordered)}."), ("reason", f"In the middle: {middle}.")],
        middle,
    )


@TASKS.task(
    "easy",
    "By how much does the largest number in {list} exceed the smallest?",
    "What is the range (largest minus smallest) of the numbers {list}?",
)
def spread(draw: Draw) -> Made:
    numbers = drawn(draw, 6)
    high, low = max(numbers), min(numbers)
    steps = [("reason", f"The largest is {high}, the smallest {low}."), f"Difference: {high} - {low} = {high - low}"]
    return {"list": listed(numbers)}, steps, high - low


@TASKS.task("easy", "How many of the numbers {list} are even?", "Count the even numbers: {list}.")
def count_even(draw: Draw) -> Made:
    numbers = drawn(draw, 8)
    even = [n for n in numbers if n % 2 == 0]
    return {"list": listed(numbers)}, [("reason", f"Even: {listed(even) or 'none'}.")], len(even)


@TASKS.task(
    "medium",
    "What is the sum of the {kind} numbers in the list {list}?",
    "Add up only the {kind} ones among {list}.",
)
def sum_of_kind(draw: Draw) -> Made:
    kind = draw.pick(("odd", "even"))
    while True:
        numbers = drawn(draw, 6)
        chosen = [n for n in numbers if n % 2 == (kind == "odd")]
        if len(chosen) >= 2:
            break
    return (
        {"list": listed(numbers), "kind": kind},
        [("reason", f"The {kind} ones: {listed(chosen)}."), f"Sum: {added(chosen)}"],
        sum(chosen),
    )


@TASKS.task(
    "easy",
    "Remove the repeated numbers from {list}, keeping each where it first occurs. Separate with commas.",
    "Write {list} so that no number occurs twice: keep only the first of each, in order, with commas.",
)
def without_duplicates(draw: Draw) -> Made:
    base = drawn(draw, 4, 1, 30)
    numbers = draw.shuffled([*base, *draw.sample(base, 3)])
    kept = list(dict.fromkeys(numbers))
    return {"list": listed(numbers)}, [("reason", f"Different numbers: {len(kept)}.")], listed(kept)


@TASKS.task(
    "medium",
    "Which number occurs most often in {list}?",
    "Find the mode of the data {list}.",
)
def mode(draw: Draw) -> Made:
    base = drawn(draw, 4, 2, 20)
    numbers = draw.shuffled([base[0]] * 3 + [base[1]] * 2 + base[2:])
    return {"list": listed(numbers)}, [("reason", f"{base[0]} occurs 3 times, every other number less often.")], base[0]


@TASKS.task(
    "medium",
    "Which numbers are in both lists: {a} and, second, {b}? Write them in increasing order with commas.",
    "Two draws gave {a} the first time and {b} the second time. List the numbers drawn both times, smallest first.",
)
def common_numbers(draw: Draw) -> Made:
    pool = drawn(draw, 8, 1, 40)
    a, b = draw.shuffled(pool[:5]), draw.shuffled(pool[3:])
    return (
        {"a": listed(a), "b": listed(b)},
        [("reason", "Look up each number of the first list in the second.")],
        listed(sorted(pool[3:5])),
    )


@TASKS.task(
    "medium",
    "How many numbers in {list} are multiples of {k}?",
    "Count those of the numbers {list} that can be divided by {k} without remainder.",
)
def count_multiples(draw: Draw) -> Made:
    numbers, k = drawn(draw, 8), draw.pick((3, 4, 5, 6, 7))
    found = [n for n in numbers if n % k == 0]
    steps = [f"{n // k} * {k} = {n}" for n in found]
    return {"list": listed(numbers), "k": k}, [("plan", "Find the multiples."), *steps], len(found)


@TASKS.task(
    "easy",
    "From {list} keep only the numbers greater than {k}. Keep the order and separate them by commas.",
    "Which of the numbers {list} are above {k}? Write them in the same order, with commas.",
)
def above(draw: Draw) -> Made:
    numbers = drawn(draw, 7)
    k = sorted(numbers)[3]
    kept = [n for n in numbers if n > k]
    return {"list": listed(numbers), "k": k}, [("reason", f"Above {k}: {len(kept)} numbers.")], listed(kept)


@TASKS.task(
    "easy",
    "At which position (counting from 1) is the {end} number of {list}?",
    "Give the place of the {end} entry in {list}; the first place is 1.",
)
def position_of_extreme(draw: Draw) -> Made:
    numbers, (end, pick) = drawn(draw, 7), draw.pick((("largest", max), ("smallest", min)))
    best = pick(numbers)
    return {"list": listed(numbers), "end": end}, [("reason", f"The {end} is {best}.")], numbers.index(best) + 1


@TASKS.task(
    "medium",
    "Write the running totals of {list}, separated by commas.",
    "A counter starts at 0 and adds {list} one by one. Which values does it show after each addition? Use commas.",
)
def running_totals(draw: Draw) -> Made:
    numbers = drawn(draw, 4, 2, 20)
    totals = list(accumulate(numbers))
    steps = [f"{a} + {b} = {c}" for a, b, c in zip(totals, numbers[1:], totals[1:], strict=False)]
    return {"list": listed(numbers)}, [("reason", f"The first total is {totals[0]}."), *steps], listed(totals)


@TASKS.task(
    "hard",
    "Which two numbers of {list} add up to {t}? Write the smaller first, with a comma between.",
    "Exactly one pair in {list} has the sum {t}. Name it, smaller number first, separated by a comma.",
)
def pair_with_sum(draw: Draw) -> Made:
    while True:
        numbers = drawn(draw, 6, 2, 50)
        t = sum(draw.sample(numbers, 2))
        pairs = [(a, b) for i, a in enumerate(numbers) for b in numbers[i + 1 :] if a + b == t]
        if len(pairs) == 1:
            break
    a, b = sorted(pairs[0])
    return (
        {"list": listed(numbers), "t": t},
        [("plan", "Look for each number's complement."), f"{t} - {a} = {b}", f"{a} + {b} = {t}"],
        f"{a}, {b}",
    )


@TASKS.task(
    "hard",
    "What is the largest difference between neighbours in the list {list}?",
    "Going through {list} from left to right, how large is the biggest jump (up or down) from one number to the next?",
)
def biggest_jump(draw: Draw) -> Made:
    numbers = drawn(draw, 5)
    jumps = [abs(a - b) for a, b in pairwise(numbers)]
    steps = [f"{max(p)} - {min(p)} = {jump}" for p, jump in zip(pairwise(numbers), jumps, strict=True)]
    return {"list": listed(numbers)}, [*steps, ("reason", f"The largest of these is {max(jumps)}.")], max(jumps)


@TASKS.task(
    "medium",
    "How many prime numbers are in the list {list}?",
    "Count the primes among {list}.",
)
def count_primes(draw: Draw) -> Made:
    numbers = drawn(draw, 6, 2, 60)
    primes = [n for n in numbers if all(n % d for d in range(2, n))]
    steps = [
        f"{d} * {n // d} = {n}, so it is not prime."
        for n in numbers
        if n not in primes
        for d in [next(d for d in range(2, n) if n % d == 0)]
    ]
    return (
        {"list": listed(numbers)},
        [*steps, ("reason", f"The primes are {listed(primes) or 'missing'}.")],
        len(primes),
    )


@TASKS.task(
    "medium",
    "Swap the {a} and the {b} number of {list}. Write the new list with commas.",
    "In the list {list} the entries in the {a} and {b} places change over. Write the list, with commas.",
)
def swap_entries(draw: Draw) -> Made:
    numbers = drawn(draw, 5)
    i, j = sorted(draw.sample(range(5), 2))
    places = words("first second third fourth fifth")
    new = list(numbers)
    new[i], new[j] = new[j], new[i]
    steps = [("reason", f"These entries are {numbers[i]} and {numbers[j]}.")]
    return {"list": listed(numbers), "a": places[i], "b": places[j]}, steps, listed(new)
