"""Time of day: clocks, timetables, working hours."""

from trainer.recipes.reasoning_problems.problem import Draw, Step
from trainer.recipes.reasoning_problems.task import Made, Topic

TASKS = Topic()


def hhmm(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


@TASKS.task(
    "easy",
    "A {show} starts at {start} and ends at {end} the same day. How many minutes does it last?",
    "{who} went to a {show} that began at {start} and was over at {end}. Give its length in minutes.",
)
def show_length(draw: Draw) -> Made:
    start, length = draw.number(13 * 60, 19 * 60, 5), draw.number(65, 175, 5)
    end = start + length
    fields = {
        "show": draw.pick(("film", "play", "concert", "match")),
        "start": hhmm(start),
        "end": hhmm(end),
    }
    return (
        fields,
        [
            ("plan", "Count both times in minutes since midnight and subtract."),
            f"End: {end // 60} * 60 + {end % 60} = {end}",
            f"Start: {start // 60} * 60 + {start % 60} = {start}",
            f"Length: {end} - {start} = {length}",
        ],
        length,
    )


@TASKS.task(
    "medium",
    "A {ride} leaves at {start} and takes {h} h {m} min. When does it arrive? Answer as HH:MM on a 24-hour clock.",
    "{who} sets off at {start}. The way by {ride} lasts {h} hours and {m} minutes. "
    "What time is it on arrival (24-hour clock, HH:MM)?",
)
def arrival(draw: Draw) -> Made:
    start, hours, minutes = draw.number(6 * 60, 17 * 60, 5), draw.number(2, 6), draw.number(10, 55, 5)
    total = start % 60 + minutes
    steps: list[Step | str] = [("plan", "Add the minutes, carry full hours, then add the hours.")]
    steps.append(f"Minutes: {start % 60} + {minutes} = {total}")
    if total >= 60:
        steps.append(f"That is one hour and {total} - 60 = {total - 60} minutes.")
    carry = " + 1" if total >= 60 else ""
    end = start + hours * 60 + minutes
    steps.append(f"Hours: {start // 60} + {hours}{carry} = {end // 60}")
    fields = {
        "ride": draw.pick(("train", "ferry", "coach", "tram")),
        "start": hhmm(start),
        "h": hours,
        "m": minutes,
    }
    return fields, steps, hhmm(end)


@TASKS.task(
    "medium",
    "{who} must be at the {place} at {end}, and the way takes {m} minutes. "
    "When must {he} leave at the latest? Answer as HH:MM.",
    "The doors of the {place} close at {end}. From home it is a walk of {m} minutes. "
    "What is the last moment to set out, written as HH:MM?",
)
def latest_start(draw: Draw) -> Made:
    end, minutes = draw.number(9 * 60, 20 * 60, 5), draw.number(25, 110, 5)
    start = end - minutes
    fields = {
        "place": draw.pick(("airport", "clinic", "museum", "stadium")),
        "end": hhmm(end),
        "m": minutes,
    }
    steps = [
        ("plan", "Turn the time into minutes since midnight, go back, and turn it into a time again."),
        f"Time given: {end // 60} * 60 + {end % 60} = {end}",
        f"Going back: {end} - {minutes} = {start}",
        f"Full hours: {start // 60}, which are {start // 60} * 60 = {start // 60 * 60} minutes.",
        f"Minutes left: {start} - {start // 60 * 60} = {start % 60}",
    ]
    return fields, steps, hhmm(start)


@TASKS.task(
    "easy",
    "It is {t} in {a}. Clocks in {b} are {n} hours ahead. What time is it in {b}? Answer as HH:MM, 24-hour clock.",
    "{who} in {a} calls {friend} in {b} at {t} local time. The clocks in {b} are {n} hours ahead. "
    "What does {friend}'s 24-hour clock show (HH:MM)?",
)
def time_zone(draw: Draw) -> Made:
    start, n = draw.number(8 * 60, 22 * 60, 5), draw.number(3, 11)
    a, b = draw.pick((("Port Alda", "Mirren"), ("Norhaven", "Sudby"), ("Old Vale", "Tresk")))
    hour = start // 60 + n
    steps = [("plan", "Add the hours; past midnight, take 24 away."), f"Hours: {start // 60} + {n} = {hour}"]
    if hour >= 24:
        steps.append(f"After midnight: {hour} - 24 = {hour - 24}")
    return {"t": hhmm(start), "a": a, "b": b, "n": n}, steps, hhmm(start + n * 60)


@TASKS.task(
    "hard",
    "A clock gains {g} minutes every hour. It is set right at {start}. "
    "What does it show when the right time is {end} the same day? Answer as HH:MM.",
    "{who}'s watch runs fast by {g} minutes an hour. {He} sets it correctly at {start}. "
    "Which time (HH:MM) is on the watch when it is really {end} on that day?",
)
def fast_clock(draw: Draw) -> Made:
    start, hours, gain = draw.number(6, 11), draw.number(4, 10), draw.number(2, 5)
    total = hours * gain
    end = start + hours
    steps = [
        ("plan", "Count the hours that passed, find the gain, and add it to the right time."),
        f"Hours: {end} - {start} = {hours}",
        f"Gain in minutes: {hours} * {gain} = {total}",
        ("reason", f"The clock is {total} minutes past {hhmm(end * 60)}."),
    ]
    return (
        {"g": gain, "start": hhmm(start * 60), "end": hhmm(end * 60)},
        steps,
        hhmm(end * 60 + total),
    )


@TASKS.task(
    "medium",
    "{who} works from {start} to {end} with a break of {b} minutes, {n} days a week. "
    "How many hours of work is that in a week? Answer with a number.",
    "A shop opens from {start} to {end}, except for {b} minutes at midday, on {n} days a week. "
    "Find its opening hours in a week as a number.",
)
def weekly_hours(draw: Draw) -> Made:
    while True:
        start, length, pause, n = (
            draw.number(420, 600, 15),
            draw.number(360, 600, 15),
            draw.pick((30, 45)),
            draw.number(3, 6),
        )
        if (length - pause) * n % 60 == 0:
            break
    end, net = start + length, length - pause
    steps = [
        ("plan", "Find the minutes of one day without the break, multiply by the days, and turn them into hours."),
        f"From start to end: {end} - {start} = {length}",
        f"Without the break: {length} - {pause} = {net}",
        f"Minutes in a week: {net} * {n} = {net * n}",
        f"Hours: {net * n} / 60 = {net * n // 60}",
    ]
    return {"start": hhmm(start), "end": hhmm(end), "b": pause, "n": n}, steps, net * n // 60


@TASKS.task(
    "hard",
    "Buses leave at {first} and then every {gap} minutes. {who} reaches the stop at {now}. "
    "When does the next bus leave? Answer as HH:MM.",
    "From {first} on, a ferry sails every {gap} minutes. At which time (HH:MM) is the first sailing after {now}?",
)
def next_bus(draw: Draw) -> Made:
    first, gap, n, early = (
        draw.number(330, 420, 5),
        draw.pick((12, 18, 20, 25, 35, 40)),
        draw.number(4, 14),
        draw.number(2, 9),
    )
    bus = first + n * gap
    now = bus - early
    past = now - first
    steps = [
        ("plan", "See how many full gaps have passed; the next bus comes one gap later."),
        f"Minutes since the first: {now} - {first} = {past}",
        f"Full gaps passed: {n - 1}, for {n - 1} * {gap} = {(n - 1) * gap} is not more than {past}.",
        f"Next one: {first} + {n} * {gap} = {bus} minutes after midnight.",
        f"Full hours: {bus // 60} * 60 = {bus // 60 * 60}, and {bus} - {bus // 60 * 60} = {bus % 60} minutes are left.",
    ]
    return {"first": hhmm(first), "gap": gap, "now": hhmm(now)}, steps, hhmm(bus)


@TASKS.task(
    "hard",
    "What is the smaller angle in degrees between the hands of a clock at {t}?",
    "An ordinary clock shows {t}. How many degrees is the smaller angle between its hour hand and its minute hand?",
)
def hands_angle(draw: Draw) -> Made:
    hour, minute = draw.number(1, 12), draw.pick((20, 40))
    big, small = minute * 6, hour % 12 * 30 + minute // 2
    gap = abs(big - small)
    high, low = max(big, small), min(big, small)
    steps = [
        (
            "plan",
            "From twelve, one hand moves 6 degrees a minute, the other 30 an hour and half a degree a minute.",
        ),
        f"Minute hand: {minute} * 6 = {big}",
        f"Hour hand: {hour % 12} * 30 + {minute} / 2 = {small}",
        f"Difference: {high} - {low} = {gap}",
    ]
    if gap > 180:
        steps.append(f"The other way round is smaller: 360 - {gap} = {360 - gap}")
    return {"t": f"{hour}:{minute:02}"}, steps, min(gap, 360 - gap)
