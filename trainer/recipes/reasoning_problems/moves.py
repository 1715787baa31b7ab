"""What happens step by step: turns, presses, overtakings, swaps."""

from trainer.recipes.reasoning_problems.problem import NAMES, Draw, words
from trainer.recipes.reasoning_problems.task import Made, Topic

TASKS = Topic()

COMPASS = words("north east south west")


@TASKS.task(
    "easy",
    "{who} faces {start} and turns {turns}, each time by a quarter turn. Which way does {he} face then?",
    "A robot looks {start}. It makes these quarter turns: {turns}. In which direction does it look now?",
)
def quarter_turns(draw: Draw) -> Made:
    at = draw.number(0, 3)
    start, turns, steps = COMPASS[at], [], [("plan", "Follow the turns one by one.")]
    for _ in range(draw.number(3, 5)):
        turn = draw.pick(("left", "right"))
        at = (at + (1 if turn == "right" else -1)) % 4
        turns.append(turn)
        steps.append(("reason", f"After turning {turn}: {COMPASS[at]}."))
    return {"start": start, "turns": ", ".join(turns)}, steps, COMPASS[at]


@TASKS.task(
    "easy",
    "A lamp is {state}. Its button is pressed {n} times, and each press switches it over. Is it on or off in the end?",
    "{who}'s radio is {state}. Every press of the button turns it from on to off or from off to on. "
    "After {n} presses, is it on or off?",
)
def toggled(draw: Draw) -> Made:
    state, n = draw.pick(("on", "off")), draw.number(11, 199)
    other = "off" if state == "on" else "on"
    pairs, odd = divmod(n, 2)
    steps = [
        ("plan", "Two presses undo each other, so only an odd press is left over."),
        f"Presses in pairs: {pairs} * 2 = {pairs * 2}",
        f"Left over: {n} - {pairs * 2} = {odd}",
    ]
    return {"state": state, "n": n}, steps, other if odd else state


@TASKS.task(
    "medium",
    "In a race the order is {row}. Then {events}. Who is {place} now?",
    "The runners lie in this order: {row}. After that {events}. Name the one who is {place}.",
)
def overtaking(draw: Draw) -> Made:
    row = draw.sample(NAMES, 4)
    start, events, steps = ", ".join(row), [], [("plan", "Write down the order after every event.")]
    for _ in range(3):
        at = draw.number(1, 3)
        events.append(f"{row[at]} overtakes {row[at - 1]}")
        row[at - 1], row[at] = row[at], row[at - 1]
        steps.append(("reason", f"{events[-1]}: {', '.join(row)}."))
    n = draw.number(0, 3)
    return (
        {"row": start, "events": ", then ".join(events), "place": words("first second third fourth")[n]},
        steps,
        row[n],
    )


@TASKS.task(
    "medium",
    "A coin lies under the cup at place {at}; there are places 1 to 4. The cups at these places are swapped: {swaps}. "
    "At which place is the coin?",
    "Four cups stand at places 1, 2, 3 and 4, with a pea under the one at place {at}. "
    "Now the cups at two places change over, several times: {swaps}. Where is the pea? Give the number of the place.",
)
def cup_game(draw: Draw) -> Made:
    at = start = draw.number(1, 4)
    swaps, steps = [], [("plan", "Follow the coin or pea only.")]
    for _ in range(draw.number(3, 5)):
        a, b = draw.sample((1, 2, 3, 4), 2)
        swaps.append(f"{a} and {b}")
        at = b if at == a else a if at == b else at
        steps.append(("reason", f"After {a} and {b}: place {at}."))
    return {"at": start, "swaps": "; ".join(swaps)}, steps, at
