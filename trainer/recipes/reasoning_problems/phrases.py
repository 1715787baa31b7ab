"""Tasks on lists of words and on the way things are written."""

from trainer.recipes.reasoning_problems.dates import MONTHS
from trainer.recipes.reasoning_problems.letters import WORDS
from trainer.recipes.reasoning_problems.numbers import ordinal
from trainer.recipes.reasoning_problems.problem import Draw, Step, words
from trainer.recipes.reasoning_problems.task import Made, Topic

TASKS = Topic()

PHRASES = (
    "random access memory",
    "gross domestic product",
    "frequently asked questions",
    "light emitting diode",
    "personal identification number",
    "global positioning system",
    "very important person",
    "read only memory",
    "local area network",
)
SENTENCES = (
    "the old boat drifts past the quiet island",
    "every child in the village owns a red kite",
    "a cold wind blows over the empty square",
    "my sister paints the garden gate green",
    "two small birds sit on the broken fence",
    "the baker opens his shop before sunrise",
    "nobody saw where the grey cat went",
    "they carry the heavy table up the stairs",
)


@TASKS.task(
    "easy",
    'What acronym do the first letters of "{p}" form? Write it in capitals.',
    'Take the initial letter of each word in "{p}" and write them as one string in upper case.',
)
def initials(draw: Draw) -> Made:
    p = draw.pick(PHRASES)
    letters = [w[0].upper() for w in p.split()]
    return {"p": p}, [("reason", f"The initials are {', '.join(letters)}.")], "".join(letters)


@TASKS.task(
    "easy",
    'How many words does this sentence have: "{s}"?',
    'Count the words: "{s}". Answer with a number.',
)
def count_words(draw: Draw) -> Made:
    s = draw.pick(SENTENCES)
    numbered = ", ".join(f"{i} {w}" for i, w in enumerate(s.split(), 1))
    return {"s": s}, [("reason", f"Numbered: {numbered}.")], len(s.split())


@TASKS.task(
    "easy",
    'Which is the {n} word of the sentence "{s}"?',
    'From the sentence "{s}" give the {n} word.',
)
def nth_word(draw: Draw) -> Made:
    s = draw.pick(SENTENCES)
    n = draw.number(2, len(s.split()))
    numbered = ", ".join(f"{i} {w}" for i, w in enumerate(s.split(), 1))
    return {"n": ordinal(n), "s": s}, [("reason", f"Numbered: {numbered}.")], s.split()[n - 1]


@TASKS.task(
    "medium",
    'Write the words of "{s}" in reverse order.',
    'Turn the sentence "{s}" round word by word, so that the last word comes first.',
)
def reverse_words(draw: Draw) -> Made:
    s = draw.pick(SENTENCES)
    return (
        {"s": s},
        [
            ("reason", "Start with the last word and go back."),
        ],
        " ".join(s.split()[::-1]),
    )


@TASKS.task(
    "easy",
    "Put these words into alphabetical order, separated by commas: {list}.",
    "Sort alphabetically and write with commas between: {list}.",
)
def sort_words(draw: Draw) -> Made:
    chosen = draw.sample(WORDS, 4)
    ordered = sorted(chosen)
    return (
        {"list": ", ".join(chosen)},
        [("reason", f"First comes {ordered[0]}, last {ordered[-1]}.")],
        ", ".join(ordered),
    )


@TASKS.task(
    "easy",
    "Which of these words has the most letters: {list}?",
    "Name the longest word in the list {list}.",
)
def longest_word(draw: Draw) -> Made:
    while True:
        chosen = draw.sample(WORDS, 4)
        lengths = [len(w) for w in chosen]
        if lengths.count(max(lengths)) == 1:
            break
    counted = ", ".join(f"{w} {n}" for w, n in zip(chosen, lengths, strict=True))
    return {"list": ", ".join(chosen)}, [("reason", f"Letters: {counted}.")], max(chosen, key=len)


@TASKS.task(
    "medium",
    "How many of the words {list} contain the letter {c}?",
    "In how many of these words is there at least one {c}: {list}?",
)
def words_with_letter(draw: Draw) -> Made:
    chosen, c = draw.sample(WORDS, 6), draw.pick("aelnort")
    found = [w for w in chosen if c in w]
    steps = [("reason", f"With {c}: {', '.join(found) or 'none'}.")]
    return {"list": ", ".join(chosen), "c": c}, steps, len(found)


@TASKS.task(
    "medium",
    "From the list {list} keep only the words with exactly {n} letters. Write them in the given order, with commas.",
    "Which of the words {list} have exactly {n} letters? Keep the order and separate them by commas.",
)
def words_of_length(draw: Draw) -> Made:
    while True:
        chosen, n = draw.sample(WORDS, 6), draw.pick((5, 6, 7))
        kept = [w for w in chosen if len(w) == n]
        if 1 <= len(kept) <= 4:
            break
    counted = ", ".join(f"{w} {len(w)}" for w in chosen)
    return {"list": ", ".join(chosen), "n": n}, [("reason", f"Letters: {counted}.")], ", ".join(kept)


@TASKS.task(
    "easy",
    'Write the variable name "{w}" in camelCase (first word small, no separators).',
    'Turn the snake_case name "{w}" into camelCase.',
)
def camel_case(draw: Draw) -> Made:
    parts = draw.sample(WORDS, 3)
    answer = parts[0] + "".join(p.title() for p in parts[1:])
    return (
        {"w": "_".join(parts)},
        [("reason", f"The parts are {', '.join(parts)}; all but the first get a capital.")],
        answer,
    )


@TASKS.task(
    "easy",
    'Write the title "{w}" as lower-case words joined by hyphens.',
    'Make a web address part from the title "{w}": small letters, hyphens instead of spaces.',
)
def hyphenated(draw: Draw) -> Made:
    parts = [w.title() for w in draw.sample(WORDS, 3)]
    return (
        {"w": " ".join(parts)},
        [("reason", f"In small letters: {' '.join(parts).lower()}.")],
        "-".join(parts).lower(),
    )


@TASKS.task(
    "medium",
    "Write the date {iso} (year-month-day) like 5 May 2031.",
    "A file is stamped {iso}, which is year, month, day. Give the date in the style of 5 May 2031.",
)
def iso_date(draw: Draw) -> Made:
    y, m, d = draw.number(2001, 2039), draw.number(1, 12), draw.number(1, 28)
    steps = [("reason", f"Month {m} is {MONTHS[m - 1]}; the day is {d} and the year {y}.")]
    return {"iso": f"{y}-{m:02}-{d:02}"}, steps, f"{d} {MONTHS[m - 1]} {y}"


@TASKS.task(
    "medium",
    "Write {t} on the 24-hour clock as HH:MM.",
    "The ticket says {t}. How is that written as HH:MM on a 24-hour clock?",
)
def to_24_hours(draw: Draw) -> Made:
    h, m, half = draw.number(1, 12), draw.number(5, 55, 5), draw.pick(("am", "pm"))
    hour = h % 12 + (12 if half == "pm" else 0)
    step: Step | str
    if half == "pm" and h != 12:
        step = f"In the afternoon 12 hours are added: {h} + 12 = {hour}"
    elif half == "pm" or h != 12:
        step = ("reason", f"The hour stays {hour}.")
    else:
        step = ("reason", "Twelve at night is hour 0.")
    return {"t": f"{h}:{m:02} {half}"}, [step], f"{hour:02}:{m:02}"


@TASKS.task(
    "easy",
    "Write the name {first} {last} as last name, comma, first initial with a full stop.",
    "How does {first} {last} appear in a list of the form Last, F.?",
)
def list_name(draw: Draw) -> Made:
    first = draw.pick(words("Agnes Boris Clara Dmitri Eva Frank Gloria Henrik Irma Jakob Karla Louis Mona Nils"))
    last = draw.pick(
        words("Abbott Brandt Castillo Dvorak Eriksen Fontaine Greco Hoffman Ivanova Jensen Kowalski Lopez")
    )
    return (
        {"first": first, "last": last},
        [("reason", f"Last name {last}, initial {first[0]}.")],
        f"{last}, {first[0]}.",
    )


@TASKS.task(
    "medium",
    "A row of a table reads {row}, with semicolons between the fields. What is in field {n}?",
    "Split {row} at the semicolons. Which entry has number {n}?",
)
def field_of_row(draw: Draw) -> Made:
    fields, n = draw.sample(WORDS, 5), draw.number(2, 5)
    numbered = ", ".join(f"{i} {w}" for i, w in enumerate(fields, 1))
    return {"row": ";".join(fields), "n": n}, [("reason", f"Numbered: {numbered}.")], fields[n - 1]


@TASKS.task(
    "medium",
    "Join the numbers {list} with {name} between them and no spaces.",
    "Write {list} as one string in which {name} separates the numbers, without blanks.",
)
def join_numbers(draw: Draw) -> Made:
    numbers = [str(draw.number(10, 99)) for _ in range(5)]
    name, sign = draw.pick((("a slash", "/"), ("a colon", ":"), ("a vertical bar", "|"), ("an underscore", "_")))
    return {"list": ", ".join(numbers), "name": name}, [("reason", f"The separator is {sign}")], sign.join(numbers)
