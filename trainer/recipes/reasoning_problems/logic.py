"""Deduction: orders, seats, liars, conditions."""

from itertools import pairwise, product

from trainer.recipes.reasoning_problems.problem import NAMES, Draw, words
from trainer.recipes.reasoning_problems.task import Made, Topic

TASKS = Topic()

KINDS = ("knight", "knave")
UNKNOWN = "cannot be determined"


@TASKS.task(
    "easy",
    "{clues} Who is the {end}?",
    "Three facts about four people: {clues} Name the {end} of the four.",
)
def order_of_four(draw: Draw) -> Made:
    more, most, least = draw.pick(
        (("taller", "tallest", "shortest"), ("older", "oldest", "youngest"), ("faster", "fastest", "slowest"))
    )
    people = draw.sample(NAMES, 4)  # from the most to the least
    clues = " ".join(f"{a} is {more} than {b}." for a, b in draw.shuffled(list(pairwise(people))))
    top = draw.pick((True, False))
    steps = [
        ("plan", "Put the facts into one row."),
        ("reason", f"From the {most} to the {least}: {', '.join(people)}."),
    ]
    return {"clues": clues, "end": most if top else least}, steps, people[0] if top else people[-1]


@TASKS.task(
    "medium",
    "{clues} Is {a} {more} than {b}? Answer yes, no or cannot be determined.",
    "We know this: {clues} Does it follow that {a} is {more} than {b}, or the opposite? "
    "Say yes, no (if the opposite follows) or cannot be determined.",
)
def comparable_or_not(draw: Draw) -> Made:
    more = draw.pick(words("heavier richer taller older faster"))
    x, y, z = draw.sample(NAMES, 3)
    kind = draw.pick((0, 1, 2))
    if kind == 0:
        clues, a, b, answer = f"{x} is {more} than {y}. {y} is {more} than {z}.", x, z, "yes"
        reason = f"{x} comes before {y} and {y} before {z}, so {x} comes before {z}."
    elif kind == 1:
        clues, a, b, answer = f"{x} is {more} than {y}. {y} is {more} than {z}.", z, x, "no"
        reason = f"{x} comes before {y} and {y} before {z}, so {x} is {more} than {z}, not the other way round."
    else:
        clues, a, b, answer = f"{x} is {more} than {y}. {z} is {more} than {y}.", x, z, UNKNOWN
        reason = f"Both {x} and {z} come before {y}; nothing is said about the two of them."
    return {"clues": clues, "a": a, "b": b, "more": more}, [("plan", "Chain the facts."), ("reason", reason)], answer


@TASKS.task(
    "medium",
    "{a}, {b}, {c} and {d} sit in a row on four chairs. {clues} Who sits on chair {n}, counted from the left?",
    "Chairs 1 to 4 stand in a row from left to right; {a}, {b}, {c} and {d} take them. {clues} Whose is chair {n}?",
)
def chairs_in_a_row(draw: Draw) -> Made:
    row = draw.sample(NAMES, 4)
    end, side = draw.pick(((0, "left"), (3, "right")))
    sure, far, (m, n) = row[end], row[3 - end], row[1:3]
    clues = f"{sure} sits at the {side} end. {m} sits directly to the left of {n}. {far} does not sit next to {sure}."
    chair = draw.number(1, 4)
    a, b, c, d = draw.shuffled(row)
    steps = [
        ("plan", "Place whoever is certain first."),
        ("reason", f"{sure} is on chair {end + 1}."),
        ("reason", f"{far} is not beside {sure}, so one of the pair is: {m} and {n} take chairs 2 and 3."),
        ("reason", f"{far} gets the chair that is left, chair {4 - end}."),
        ("reason", f"From the left: {', '.join(row)}."),
    ]
    return {"a": a, "b": b, "c": c, "d": d, "clues": clues, "n": chair}, steps, row[chair - 1]


@TASKS.task(
    "hard",
    'Knights always tell the truth and knaves always lie. {a} says: "{s}" {b} says: "{t}" '
    "Each of them is a knight or a knave. What is {a}?",
    'On an island everyone is either a knight, who never lies, or a knave, who always does. {a} claims: "{s}" '
    '{b} claims: "{t}" Is {a} a knight or a knave?',
)
def knights_and_knaves(draw: Draw) -> Made:
    a, b = draw.sample(NAMES, 2)

    def claims(other: str) -> list[tuple[str, str]]:
        return [
            (f"{other} is a knave.", "other knave"),
            (f"{other} is a knight.", "other knight"),
            ("We are both knaves.", "both knaves"),
            ("We are of the same kind.", "same"),
            ("At least one of us is a knave.", "one knave"),
        ]

    while True:
        (s, first), (t, second) = draw.pick(claims(b)), draw.pick(claims(a))
        worlds = [w for w in product(KINDS, KINDS) if _fits(first, w) and _fits(second, w[::-1])]
        if len(worlds) == 1:
            break
    steps = [("plan", "Try all four cases; a knight's words must be true and a knave's false.")]
    for world in product(KINDS, KINDS):
        fits = world == worlds[0]
        bad = next((name for name, ok in ((a, _fits(first, world)), (b, _fits(second, world[::-1]))) if not ok), None)
        text = "everything fits" if fits else f"what {bad} says does not fit"
        steps.append(("reason", f"{a} a {world[0]}, {b} a {world[1]}: {text}."))
    return {"a": a, "b": b, "s": s, "t": t}, steps, worlds[0][0]


def _fits(claim: str, world: tuple[str, ...]) -> bool:
    """Whether the first person of `world` could make the claim."""
    me, other = world
    true = {
        "other knave": other == "knave",
        "other knight": other == "knight",
        "both knaves": me == other == "knave",
        "same": me == other,
        "one knave": "knave" in world,
    }[claim]
    return true == (me == "knight")


@TASKS.task(
    "medium",
    "{a}, {b} and {c} own a {x}, a {y} and a {z}, one each. {clues} Who owns the {wanted}?",
    "A {x}, a {y} and a {z} belong to {a}, {b} and {c}, in some order. {clues} Whose is the {wanted}?",
)
def who_owns_what(draw: Draw) -> Made:
    kinds = draw.pick((words("dog cat parrot"), words("violin flute drum"), words("kite scooter ball")))
    people, things = draw.sample(NAMES, 3), draw.shuffled(kinds)
    (p, q, r), (u, v, w) = people, things
    clues = f"{p} has neither the {v} nor the {w}. {q} does not have the {w}."
    at = draw.number(0, 2)
    a, b, c = draw.shuffled(people)
    x, y, z = draw.shuffled(things)
    steps = [
        ("plan", "Strike out what is impossible."),
        ("reason", f"For {p} only the {u} is left."),
        ("reason", f"For {q} the {w} is out and the {u} is taken, so it is the {v}."),
        ("reason", f"{r} has the {w}."),
    ]
    return {"a": a, "b": b, "c": c, "x": x, "y": y, "z": z, "clues": clues, "wanted": things[at]}, steps, people[at]


RULES = (
    ("the alarm rings", "the doors lock"),
    ("the river floods", "the bridge is closed"),
    ("the oven is on", "the kitchen is warm"),
    ("the flag is up", "the office is open"),
    ("the lamp blinks", "the battery is low"),
)


@TASKS.task(
    "medium",
    "Whenever {p}, {q}. We know that {fact}. Does it follow for certain that {p2}? "
    "Answer yes, no (if the opposite is certain) or cannot be determined.",
    'The rule "if {p}, then {q}" always holds. Today {fact}. Is it certain that {p2}? '
    "Reply with yes, no (the opposite is certain) or cannot be determined.",
)
def conditional(draw: Draw) -> Made:
    p, q = draw.pick(RULES)
    fact, asked, answer, reason = draw.pick(
        (
            (p, q, "yes", "The condition is met, so the consequence follows."),
            (_negated(q), p, "no", "If the condition had been met, the consequence would be there; so it was not met."),
            (q, p, UNKNOWN, "The consequence may also have another cause."),
            (_negated(p), q, UNKNOWN, "The rule says nothing about what happens when the condition is not met."),
        )
    )
    return (
        {"p": p, "q": q, "fact": fact, "p2": asked},
        [("plan", "See what the rule says here."), ("reason", reason)],
        answer,
    )


def _negated(clause: str) -> str:
    """the alarm rings -> it is not the case that the alarm rings"""
    return f"it is not the case that {clause}"


@TASKS.task(
    "hard",
    'One of {a}, {b} and {c} broke a vase. {a} says: "{s}" {b} says: "{t}" {c} says: "{u}" '
    "Exactly one of the three tells the truth. Who broke it?",
    'A cake was eaten by {a}, {b} or {c}. {a}: "{s}" {b}: "{t}" {c}: "{u}" '
    "Only one of these statements is true. Who ate the cake?",
)
def one_true_statement(draw: Draw) -> Made:
    people = draw.sample(NAMES, 3)
    while True:
        said = [(draw.number(0, 2), draw.pick((True, False))) for _ in people]  # (about whom, whether it was them)
        true = [[(culprit == about) == guilty for about, guilty in said] for culprit in range(3)]
        culprits = [culprit for culprit in range(3) if sum(true[culprit]) == 1]
        if len(culprits) == 1 and len(set(said)) == 3:
            break
    steps = [("plan", "Suppose each of them in turn; exactly one statement may be true.")]
    for culprit, name in enumerate(people):
        verdicts = ", ".join(f"{p}'s {'true' if ok else 'false'}" for p, ok in zip(people, true[culprit], strict=True))
        steps.append(("reason", f"If it was {name}: {verdicts}."))
    texts = [_statement(about == speaker, people[about], guilty) for speaker, (about, guilty) in enumerate(said)]
    return dict(zip("abcstu", [*people, *texts], strict=True)), steps, people[culprits[0]]


def _statement(self_: bool, name: str, guilty: bool) -> str:
    who = "I" if self_ else name
    return f"It was {'me' if self_ else name}." if guilty else f"{who} did not do it."
