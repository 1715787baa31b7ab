"""Tasks on the letters of one word."""

from trainer.recipes.reasoning_problems.numbers import ordinal
from trainer.recipes.reasoning_problems.problem import Draw, words
from trainer.recipes.reasoning_problems.task import Made, Topic

TASKS = Topic()

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
VOWELS = "aeiou"
WORDS = words(
    "almond anchor antenna balloon banana barrel basket beetle blanket bottle bridge bucket butter candle canyon "
    "carpet cellar cherry coffee copper cotton cradle curtain dancer desert diamond dinner dragon eagle engine "
    "falcon feather fiddle flower forest garden garlic ginger glacier guitar hammer harbor helmet hollow island "
    "jacket jungle kettle kitten ladder lantern letter lizard magnet marble meadow mirror mitten monkey mountain "
    "needle nickel onion orange oyster paddle palace parrot pebble pepper pillow planet pocket potato puzzle rabbit "
    "ribbon river rocket saddle sailor salmon sandal shadow silver spider summer sunset tailor temple thunder "
    "timber tomato tunnel turtle valley velvet violin walnut willow window winter zipper"
)
SHORT = words(
    "lake barn coin drum fern gate hill iron jade lamp mint nest oven pine rope sand tent vase wolf yarn quiz zebra"
)
PALINDROMES = words("level radar rotor kayak madam refer civic tenet stats noon")
ANAGRAMS = (
    ("listen", "silent"),
    ("night", "thing"),
    ("study", "dusty"),
    ("below", "elbow"),
    ("garden", "ranged"),
    ("forest", "softer"),
    ("silver", "livers"),
)
OTHER_PAIRS = (("planet", "plants"), ("candle", "dances"), ("bridge", "brides"), ("marble", "blamed"))


def spelled(text: str) -> str:
    return ", ".join(text)


@TASKS.task(
    "easy", 'Write the word "{w}" backwards.', 'What do you get when the letters of "{w}" are put in reverse order?'
)
def reverse_word(draw: Draw) -> Made:
    w = draw.pick(WORDS)
    return (
        {"w": w},
        [("reason", f"The letters are {spelled(w)}."), ("reason", f"From the end: {spelled(w[::-1])}.")],
        w[::-1],
    )


@TASKS.task(
    "easy",
    'How many times does the letter {c} occur in "{w}"?',
    'Count the letter {c} in the word "{w}". Answer with a number.',
)
def count_letter(draw: Draw) -> Made:
    w = draw.pick(WORDS)
    c = draw.pick([c for c in w if w.count(c) > 1] or w)
    places = [i for i, letter in enumerate(w, 1) if letter == c]
    steps = [
        ("reason", f"The letters are {spelled(w)}."),
        ("reason", f"{c} stands at place {', '.join(map(str, places))}."),
    ]
    return {"c": c, "w": w}, steps, len(places)


@TASKS.task(
    "easy",
    'How many vowels (a, e, i, o, u) are in the word "{w}"?',
    'Count the letters of "{w}" that are one of a, e, i, o, u.',
)
def count_vowels(draw: Draw) -> Made:
    w = draw.pick(WORDS)
    found = [c for c in w if c in VOWELS]
    return {"w": w}, [("reason", f"The vowels in order are {', '.join(found)}.")], len(found)


@TASKS.task(
    "easy",
    'What is the {n} letter of "{w}"?',
    'Which letter of the word "{w}" comes {n}, counting from the left?',
)
def nth_letter(draw: Draw) -> Made:
    w = draw.pick(WORDS)
    n = draw.number(2, len(w))
    numbered = ", ".join(f"{i} {c}" for i, c in enumerate(w, 1))
    return {"n": ordinal(n), "w": w}, [("reason", f"Numbered: {numbered}.")], w[n - 1]


@TASKS.task(
    "medium",
    'Remove every vowel (a, e, i, o, u) from "{w}". What remains?',
    'Write "{w}" without the letters a, e, i, o and u.',
)
def drop_vowels(draw: Draw) -> Made:
    w = draw.pick(WORDS)
    kept = [c for c in w if c not in VOWELS]
    return {"w": w}, [("reason", f"The letters that stay are {', '.join(kept)}.")], "".join(kept)


@TASKS.task(
    "easy",
    'Replace each {a} in "{w}" by {b}. What is the result?',
    'In the word "{w}" every letter {a} is turned into {b}. Write the new string.',
)
def replace_letter(draw: Draw) -> Made:
    w = draw.pick(WORDS)
    a, b = draw.pick(w), draw.pick("xyzqk")
    while b in w:
        b = draw.pick("xyzqkvjw")
    new = w.replace(a, b)
    return {"a": a, "b": b, "w": w}, [("reason", f"Letter by letter: {spelled(new)}.")], new


@TASKS.task(
    "medium",
    'Sort the letters of "{w}" alphabetically and write them as one string.',
    'Put the letters of the word "{w}" into alphabetical order, repeated letters included, without spaces.',
)
def sort_letters(draw: Draw) -> Made:
    w = draw.pick([w for w in WORDS if len(w) <= 6])
    ordered = "".join(sorted(w))
    return (
        {"w": w},
        [("reason", f"The letters are {spelled(w)}."), ("reason", f"In order: {spelled(ordered)}.")],
        ordered,
    )


@TASKS.task(
    "hard",
    'With a = 1, b = 2 and so on up to z = 26, what is the sum of the letters of "{w}"?',
    'Every letter is worth its place in the alphabet (a is 1, z is 26). How much is the word "{w}" worth?',
)
def alphabet_sum(draw: Draw) -> Made:
    w = draw.pick(SHORT)
    values = [ALPHABET.index(c) + 1 for c in w]
    steps = [
        ("reason", "The values are " + ", ".join(f"{c} {v}" for c, v in zip(w, values, strict=True)) + "."),
        f"Sum: {' + '.join(map(str, values))} = {sum(values)}",
    ]
    return {"w": w}, steps, sum(values)


@TASKS.task(
    "hard",
    'Move each letter of "{w}" forward by {n} places in the alphabet, going from z on to a. What string results?',
    'Encode "{w}" with a shift of {n}: a letter becomes the one {n} places later, and after z comes a again.',
)
def letter_shift(draw: Draw) -> Made:
    w, n = draw.pick(SHORT), draw.number(2, 5)
    coded = "".join(ALPHABET[(ALPHABET.index(c) + n) % 26] for c in w)
    pairs = ", ".join(f"{a} to {b}" for a, b in zip(w, coded, strict=True))
    return {"w": w, "n": n}, [("reason", f"Each letter: {pairs}.")], coded


@TASKS.task(
    "easy",
    'Swap the first and the last letter of "{w}".',
    'Write the word "{w}" with its first letter and its last letter exchanged.',
)
def swap_ends(draw: Draw) -> Made:
    w = draw.pick([w for w in WORDS if w[0] != w[-1]])
    steps = [("reason", f"The first letter is {w[0]}, the last {w[-1]}; {w[1:-1]} stays between them.")]
    return {"w": w}, steps, w[-1] + w[1:-1] + w[0]


@TASKS.task(
    "medium",
    'Take every second letter of "{w}", starting with the first. What string is that?',
    'Which string is left of "{w}" when only the letters at the odd places (first, third, fifth, ...) are kept?',
)
def every_second(draw: Draw) -> Made:
    w = draw.pick(WORDS)
    places = ", ".join(f"{i} {c}" for i, c in enumerate(w, 1) if i % 2)
    return {"w": w}, [("reason", f"Odd places: {places}.")], w[::2]


@TASKS.task(
    "easy",
    'Does "{w}" read the same forwards and backwards? Answer yes or no.',
    'Is the word "{w}" a palindrome? Answer with yes or no.',
)
def palindrome(draw: Draw) -> Made:
    w = draw.pick(draw.pick((PALINDROMES, WORDS)))
    return {"w": w}, [("reason", f"Backwards it is {w[::-1]}.")], "yes" if w == w[::-1] else "no"


@TASKS.task(
    "medium",
    'Can the letters of "{a}" be rearranged to spell "{b}"? Answer yes or no.',
    'Are "{a}" and "{b}" anagrams of each other? Answer yes or no.',
)
def anagram(draw: Draw) -> Made:
    a, b = draw.pick(draw.pick((ANAGRAMS, OTHER_PAIRS)))
    steps = [("reason", f"Sorted, {a} is {''.join(sorted(a))}."), ("reason", f"Sorted, {b} is {''.join(sorted(b))}.")]
    return {"a": a, "b": b}, steps, "yes" if sorted(a) == sorted(b) else "no"


@TASKS.task(
    "medium",
    'Which letters occur in both "{a}" and "{b}"? List each once, in alphabetical order, without separators.',
    'Write, in alphabetical order and as one string, every letter that "{a}" and "{b}" have in common.',
)
def common_letters(draw: Draw) -> Made:
    while True:
        a, b = draw.sample(WORDS, 2)
        common = sorted(set(a) & set(b))
        if len(common) >= 2:
            break
    steps = [
        ("reason", f"{a} has {', '.join(sorted(set(a)))}."),
        ("reason", f"{b} has {', '.join(sorted(set(b)))}."),
        ("reason", f"In both: {', '.join(common)}."),
    ]
    return {"a": a, "b": b}, steps, "".join(common)


@TASKS.task(
    "medium",
    'Move the first {n} letters of "{w}" to the end. What string results?',
    'The word "{w}" is rotated: its first {n} letters are cut off and put behind the rest. Write the result.',
)
def rotate_word(draw: Draw) -> Made:
    w, n = draw.pick(WORDS), draw.number(2, 3)
    return {"w": w, "n": n}, [("reason", f"The first {n} letters are {w[:n]}; the rest is {w[n:]}.")], w[n:] + w[:n]


@TASKS.task(
    "medium",
    'Write "{w}" without repeated letters: keep only the first of each letter.',
    'From the word "{w}" strike out every letter that already occurred further left. What is left?',
)
def without_repeats(draw: Draw) -> Made:
    w = draw.pick([w for w in WORDS if len(set(w)) < len(w)])
    struck = [f"place {i} ({c})" for i, c in enumerate(w, 1) if c in w[: i - 1]]
    return {"w": w}, [("reason", f"Struck out: {', '.join(struck)}.")], "".join(dict.fromkeys(w))


@TASKS.task(
    "easy",
    'Write "{w}" in capitals, with a hyphen between neighbouring letters.',
    'Spell the word "{w}" out in upper case, hyphens separating the letters.',
)
def spell_out(draw: Draw) -> Made:
    w = draw.pick(WORDS)
    return {"w": w}, [("reason", f"The letters are {spelled(w)}.")], "-".join(w.upper())
