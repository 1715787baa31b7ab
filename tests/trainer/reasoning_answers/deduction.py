"""Clocks, dates, logic and moves, by other means than the recipe's: datetime, and trying every possibility."""

import re
from calendar import day_name, isleap, month_name, monthrange
from datetime import date, datetime, timedelta
from itertools import permutations, product

from tests.trainer.reasoning_answers.tools import Prompt, Solver, found, groups, quoted

UNKNOWN = "cannot be determined"
DAYS, MONTHS = list(day_name), list(month_name)
YEAR = 2001  # a year without a leap day, which began on a Monday


def _times(text: str) -> list[datetime]:
    return [datetime(YEAR, 1, 1, int(h), int(m)) for h, m in re.findall(r"\b(\d{1,2}):(\d\d)", text)]


def _minutes(n: Prompt) -> int:
    first, second = _times(n.text)[:2]
    return int((second - first).total_seconds()) // 60


def _shown(moment: datetime) -> str:
    return moment.strftime("%H:%M")


def _dates(text: str) -> list[date]:
    found = re.findall(rf"\b(\d+) ({'|'.join(MONTHS[1:])})", text.replace("like 5 May", ""))
    return [date(YEAR, MONTHS.index(month), int(day)) for day, month in found]


def _weekday(text: str) -> int:
    return DAYS.index(found(rf"({'|'.join(DAYS)})", text))


def _arrival(n: Prompt) -> str:
    return _shown(_times(n.text)[0] + timedelta(hours=int(n[2]), minutes=int(n[3])))


def _due(n: Prompt) -> str:
    days = int(found(r"(\d+) days[ .](?!in February)", n.text))
    due = _dates(n.text)[0] + timedelta(days=days)
    return f"{due.day} {MONTHS[due.month]}"


def _next_departure(n: Prompt) -> str:
    first, now = _times(n.text)[:2]
    gap = timedelta(minutes=int(found(r"every (\d+) min", n.text)))
    while first < now:
        first += gap
    return _shown(first)


def _hands(n: Prompt) -> object:
    hour, minute = n[0], n[1]
    gap = abs((hour % 12 + minute / 60) / 12 - minute / 60) * 360
    return min(gap, 360 - gap)


def _fast_clock(n: Prompt) -> str:
    gain = int(found(r"(\d+) minutes", n.text))
    return _shown(_times(n.text)[1] + timedelta(minutes=gain * _minutes(n) // 60))


def _staffed(n: Prompt) -> object:
    pause, days = int(found(r"(\d+) minutes", n.text)), int(found(r"(\d) days", n.text))
    return (_minutes(n) - pause) * days / 60


def _repeated(n: Prompt) -> str:
    every, which = int(found(r"every (\d+) hours", n.text)), int(found(r"(\d+)th", n.text))
    start = datetime(YEAR, 1, 1 + _weekday(n.text), _times(n.text)[0].hour)  # 1 January 2001 was a Monday
    moment = start + timedelta(hours=every * (which - 1))
    return f"{DAYS[moment.weekday()]} {_shown(moment)}"


def _days_of_months(n: Prompt) -> int:
    named = re.findall(rf"\b({'|'.join(MONTHS[1:])})\b", n.text.split("in a year")[0])
    assert len(named) == 3
    return sum(monthrange(YEAR, MONTHS.index(month))[1] for month in named)


def _order(text: str) -> list[str]:
    """The people of "A is taller than B. ..." from the most to the least."""
    pairs = re.findall(r"(\w+) is \w+ than (\w+)\.", text)
    people = {name for pair in pairs for name in pair}
    rows = [p for p in permutations(people) if all(p.index(a) < p.index(b) for a, b in pairs)]
    assert len(rows) == 1
    return list(rows[0])


def _extreme(n: Prompt) -> str:
    least = {"shortest", "youngest", "slowest"} & set(re.findall(r"\w+", n.text))
    return _order(n.text)[-1 if least else 0]


def _comparable(n: Prompt) -> str:
    pairs = re.findall(r"(\w+) is \w+ than (\w+)\.", n.text)
    a, b = groups(r"(?:Is|that) (\w+)(?: is)? \w+ than (\w+)[?,]", n.text)
    rows = [p for p in permutations({x for q in pairs for x in q}) if all(p.index(x) < p.index(y) for x, y in pairs)]
    verdicts = {"yes" if p.index(a) < p.index(b) else "no" for p in rows}
    return verdicts.pop() if len(verdicts) == 1 else UNKNOWN


def _chairs(n: Prompt) -> str:
    text = n.text
    people = groups(r"(\w+), (\w+), (\w+) and (\w+) (?:sit|take)", text)
    sure, side = groups(r"(\w+) sits at the (\w+) end", text)
    left, right = groups(r"(\w+) sits directly to the left of (\w+)", text)
    far, near = groups(r"(\w+) does not sit next to (\w+)", text)
    rows = [
        p
        for p in permutations(people)
        if p.index(sure) == (0 if side == "left" else 3)
        and p.index(right) == p.index(left) + 1
        and abs(p.index(far) - p.index(near)) != 1
    ]
    assert len(rows) == 1
    return rows[0][int(found(r"chair (\d)[,?]", text)) - 1]


def _knights(n: Prompt) -> str:
    speakers = re.findall(r'(\w+) (?:says|claims): "', n.text)
    claims = quoted(n.text)

    def true(claim: str, me: int, honest: tuple[bool, bool]) -> bool:
        if claim.startswith(speakers[1 - me]):
            return honest[1 - me] == claim.endswith("a knight.")
        return {
            "We are both knaves.": not any(honest),
            "We are of the same kind.": honest[0] == honest[1],
            "At least one of us is a knave.": not all(honest),
        }[claim]

    worlds = [w for w in product((True, False), repeat=2) if all(true(claims[i], i, w) == w[i] for i in (0, 1))]
    assert len(worlds) == 1
    return "knight" if worlds[0][0] else "knave"


def _owner(n: Prompt) -> str:
    things = groups(r"(?:own a|^A) (\w+), a (\w+) and a (\w+)", n.text)
    people = groups(r"(\w+), (\w+) and (\w+) own|to (\w+), (\w+) and (\w+), in", n.text)
    names = [p for p in people if p]
    p, v, w = groups(r"(\w+) has neither the (\w+) nor the (\w+)", n.text)
    q, x = groups(r"(\w+) does not have the (\w+)", n.text)
    worlds = [dict(zip(names, o, strict=True)) for o in permutations(things)]
    (world,) = [o for o in worlds if o[p] not in (v, w) and o[q] != x]
    wanted = found(r"(?:owns|is) the (\w+)\?", n.text)
    return next(name for name, thing in world.items() if thing == wanted)


def _conditional(n: Prompt) -> str:
    p, q = groups(r'(?:Whenever|if) (.+?), (?:then )?(.+?)[."]', n.text)
    fact = found(r"(?:that|Today) (.+?)\. ", n.text.split(q, 1)[1])
    asked = found(r"certain that (.+?)\?", n.text)
    atoms = {p: 0, q: 1}

    def holds(clause: str, world: tuple[bool, bool]) -> bool:
        plain = clause.removeprefix("it is not the case that ")
        return world[atoms[plain]] == (plain == clause)

    worlds = [w for w in product((True, False), repeat=2) if (not w[0] or w[1]) and holds(fact, w)]
    verdicts = {holds(asked, w) for w in worlds}
    return UNKNOWN if len(verdicts) > 1 else "yes" if verdicts.pop() else "no"


def _culprit(n: Prompt) -> str:
    people = re.findall(r'(\w+)(?: says)?: "', n.text)

    def true(speaker: str, claim: str, culprit: str) -> bool:
        about = found(r"^(?:It was )?(\w+)", claim)
        return ((speaker if about in ("I", "me") else about) == culprit) == claim.startswith("It was")

    (only,) = [c for c in people if sum(true(p, q, c) for p, q in zip(people, quoted(n.text), strict=True)) == 1]
    return only


def _facing(n: Prompt) -> str:
    compass = ["north", "east", "south", "west"]
    at = compass.index(found(r"(north|east|south|west)", n.text))
    turns = re.findall(r"\b(left|right)\b", n.text)
    return compass[(at + turns.count("right") - turns.count("left")) % 4]


def _race(n: Prompt) -> str:
    row = found(r"(?:is|order:) ((?:\w+, ){3}\w+)\.", n.text).split(", ")
    for behind, ahead in re.findall(r"(\w+) overtakes (\w+)", n.text):
        i, j = row.index(behind), row.index(ahead)
        assert i == j + 1
        row[i], row[j] = ahead, behind
    return row[["first", "second", "third", "fourth"].index(found(r"is (first|second|third|fourth)", n.text))]


def _cups(n: Prompt) -> int:
    cups = [False] * 5
    cups[int(found(r"at place (\d)", n.text))] = True
    for a, b in re.findall(r"(\d) and (\d)(?=[;.])", n.text.split(": ", 1)[1]):
        cups[int(a)], cups[int(b)] = cups[int(b)], cups[int(a)]
    return cups.index(True)


def _lamp(n: Prompt) -> str:
    start_on = re.search(r"is on\b", n.text.split(".")[0]) is not None
    return "on" if start_on == (n[0] % 2 == 0) else "off"


ANSWERS: dict[str, Solver] = {
    "show-length": _minutes,
    "arrival": _arrival,
    "latest-start": lambda n: _shown(_times(n.text)[0] - timedelta(minutes=int(found(r"(\d+) minutes", n.text)))),
    "time-zone": lambda n: _shown(_times(n.text)[0] + timedelta(hours=int(found(r"(\d+) hours", n.text)))),
    "fast-clock": _fast_clock,
    "weekly-hours": _staffed,
    "next-bus": _next_departure,
    "hands-angle": _hands,
    "weekday-later": lambda n: DAYS[int(_weekday(n.text) + n[0]) % 7],
    "weekday-in-month": lambda n: DAYS[int(_weekday(n.text) + n[1] - n[0]) % 7],
    "days-between": lambda n: (_dates(n.text)[1] - _dates(n.text)[0]).days,
    "date-after": _due,
    "leap-year": lambda n: "yes" if isleap(int(max(n))) else "no",
    "century": lambda n: "21st" if n[0] > 2000 else f"{(n[0] - 1) // 100 + 1}th",
    "month-days": _days_of_months,
    "repeated-event": _repeated,
    "order-of-four": _extreme,
    "comparable-or-not": _comparable,
    "chairs-in-a-row": _chairs,
    "knights-and-knaves": _knights,
    "who-owns-what": _owner,
    "conditional": _conditional,
    "one-true-statement": _culprit,
    "quarter-turns": _facing,
    "toggled": _lamp,
    "overtaking": _race,
    "cup-game": _cups,
}
