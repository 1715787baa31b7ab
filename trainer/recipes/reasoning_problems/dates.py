"""The calendar: weekdays, dates, leap years."""

from datetime import date, timedelta

from trainer.recipes.reasoning_problems.numbers import ordinal
from trainer.recipes.reasoning_problems.problem import Draw, Step, words
from trainer.recipes.reasoning_problems.task import Made, Topic

TASKS = Topic()

DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = words("January February March April May June July August September October November December")
LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # of a common year
COMMON_YEAR = 2023  # any year without 29 February


def long_date(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]}"


@TASKS.task(
    "easy",
    "Today is {day}. What day of the week is it in {n} days?",
    "A parcel is posted on a {day} and delivered exactly {n} days later. On which weekday does it come?",
    "{who}'s plant was watered on {day} and will be repotted {n} days after that. Name the weekday of the repotting.",
)
def weekday_later(draw: Draw) -> Made:
    at, n = draw.number(0, 6), draw.number(16, 120)
    weeks, rest = divmod(n, 7)
    steps = [
        ("plan", "Full weeks change nothing, so only the remainder counts."),
        f"Full weeks: {weeks} * 7 = {weeks * 7}",
        f"Days left: {n} - {weeks * 7} = {rest}",
        ("reason", f"Going on {rest} from {DAYS[at]} leads to {DAYS[(at + rest) % 7]}."),
    ]
    return {"day": DAYS[at], "n": n}, steps, DAYS[(at + rest) % 7]


@TASKS.task(
    "medium",
    "The {a} of a month is a {day}. What day of the week is the {b} of the same month?",
    "If the {a} falls on a {day}, on which weekday does the {b} of that month fall?",
)
def weekday_in_month(draw: Draw) -> Made:
    a, at = draw.number(1, 7), draw.number(0, 6)
    b = a + draw.number(10, 21)
    gap = b - a
    weeks, rest = divmod(gap, 7)
    answer = DAYS[(at + rest) % 7]
    steps = [
        ("plan", "Find the days between and take away full weeks."),
        f"Days between: {b} - {a} = {gap}",
        f"Without full weeks: {gap} - {weeks * 7} = {rest}",
        ("reason", f"Going on {rest} from {DAYS[at]} leads to {answer}."),
    ]
    return {"a": ordinal(a), "b": ordinal(b), "day": DAYS[at]}, steps, answer


@TASKS.task(
    "hard",
    "In a year that is not a leap year, how many days after {a} is {b}?",
    "{who} leaves on {a} and comes home on {b} of the same year, which is not a leap year. "
    "How many nights is {he} away?",
)
def days_between(draw: Draw) -> Made:
    month, span = draw.number(1, 9), draw.number(2, 3)
    first = date(COMMON_YEAR, month, draw.number(3, 26))
    last = date(COMMON_YEAR, month + span, draw.number(2, 25))
    steps: list[Step | str] = [
        ("plan", "Go to the end of the first month, add the full months between, then the days of the last month.")
    ]
    rest = LENGTHS[month - 1] - first.day
    steps.append(f"Left in {MONTHS[month - 1]}: {LENGTHS[month - 1]} - {first.day} = {rest}")
    full = LENGTHS[month : month + span - 1]
    terms = [rest, *full, last.day]
    steps.append(
        ("reason", "Full months between: " + ", ".join(f"{MONTHS[month + i]} {n}" for i, n in enumerate(full)) + ".")
    )
    steps.append(f"Together: {' + '.join(map(str, terms))} = {sum(terms)}")
    return {"a": long_date(first), "b": long_date(last)}, steps, (last - first).days


@TASKS.task(
    "medium",
    "What date is {n} days after {a}, in a year with 28 days in February? Answer like 5 May.",
    "A library book is lent on {a} for {n} days. The year is not a leap year. "
    "On what date is it due? Write day and month, like 5 May.",
)
def date_after(draw: Draw) -> Made:
    month, n = draw.number(1, 10), draw.number(21, 40)
    first = date(COMMON_YEAR, month, draw.number(12, 28))
    due = first + timedelta(days=n)
    rest = LENGTHS[month - 1] - first.day
    steps = [
        ("plan", "Use up the first month, then count on in the next."),
        f"Left in {MONTHS[month - 1]}: {LENGTHS[month - 1]} - {first.day} = {rest}",
        f"Days still to go: {n} - {rest} = {n - rest}",
    ]
    if n - rest > LENGTHS[month]:
        steps.append(f"{MONTHS[month]} uses {LENGTHS[month]} of them: {n - rest} - {LENGTHS[month]} = {due.day}")
    return {"a": long_date(first), "n": n}, steps, long_date(due)


@TASKS.task(
    "medium",
    "By the Gregorian calendar, was or will {year} be a leap year? Answer yes or no.",
    "Does February of the year {year} have 29 days in the Gregorian calendar? Answer yes or no.",
)
def leap_year(draw: Draw) -> Made:
    year = draw.pick((1600, 1700, 1800, 1900, 2000, 2100, 2400, draw.number(1910, 2090), draw.number(1912, 2088, 4)))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    steps: list[Step | str] = [("plan", "A leap year divides by 4; a full century must also divide by 400.")]
    for d in (4, 100, 400):
        rest = year % d
        steps.append(
            f"{year // d} * {d} + {rest} = {year}, so {year} {'does not divide' if rest else 'divides'} by {d}."
        )
        if (d == 4 and rest) or (d == 100 and rest):
            break
    return {"year": year}, steps, "yes" if leap else "no"


@TASKS.task(
    "easy",
    "Which century does the year {year} belong to? Answer like 12th.",
    "A chapel was built in {year}. In which century was that? Answer with an ordinal such as 12th.",
)
def century(draw: Draw) -> Made:
    year = draw.number(1001, 2099)
    number = (year + 99) // 100
    steps = [
        ("plan", "The first century ends with year 100, so round the hundreds up."),
        f"The century ends with the year {number} * 100 = {number * 100}",
        f"It began with the year {number * 100} - 99 = {number * 100 - 99}",
    ]
    return {"year": year}, steps, ordinal(number)


@TASKS.task(
    "easy",
    "How many days do {a}, {b} and {c} have together in a year without a leap day?",
    "{who} rents a room for {a}, {b} and {c}, in a year in which February has 28 days. For how many days is that?",
)
def month_days(draw: Draw) -> Made:
    at = draw.number(0, 9)
    numbers = LENGTHS[at : at + 3]
    steps = [
        ("reason", ", ".join(f"{MONTHS[at + i]} has {n}" for i, n in enumerate(numbers)) + "."),
        f"Together: {' + '.join(map(str, numbers))} = {sum(numbers)}",
    ]
    return dict(zip("abc", MONTHS[at : at + 3], strict=True)), steps, sum(numbers)


@TASKS.task(
    "medium",
    "{who} takes a tablet every {n} hours, the first at {t} on {day}. "
    "On which day and at what time is the {k}? Answer like Monday 09:00.",
    "A sensor reports every {n} hours, for the first time on {day} at {t}. "
    "When is its {k} report? Give weekday and time, like Monday 09:00.",
)
def repeated_event(draw: Draw) -> Made:
    n, start, at, k = draw.pick((5, 6, 7, 8, 9)), draw.number(6, 12), draw.number(0, 6), draw.number(6, 12)
    passed = (k - 1) * n
    total = start + passed
    days, hour = divmod(total, 24)
    steps = [
        ("plan", "Count the gaps, add the hours, and take away full days."),
        f"Gaps before it: {k} - 1 = {k - 1}",
        f"Hours passed: {k - 1} * {n} = {passed}",
        f"Hours since the first midnight: {start} + {passed} = {total}",
        f"Taking off full days: {total} - {days} * 24 = {hour}",
    ]
    answer = f"{DAYS[(at + days) % 7]} {hour:02}:00"
    return {"n": n, "t": f"{start:02}:00", "day": DAYS[at], "k": ordinal(k)}, steps, answer
