"""Letters, words, lists of numbers, digits: the string and number tasks."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from math import prod
from statistics import median, mode

from tests.trainer.reasoning_answers.tools import Prompt, Solver, found, groups, quoted

VOWELS = set("aeiou")
POSITIONS = {word: k for k, word in enumerate(["first", "second", "third", "fourth", "fifth"])}
NUMERALS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
SMALL = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def _word(n: Prompt) -> str:
    return quoted(n.text)[0]


def _letter(n: Prompt) -> str:
    """The single letter that the prompt speaks of."""
    return found(r"(?:letter|each|one|every letter) ([a-z])\b", n.text)


def _ordinal(n: Prompt) -> int:
    return int(found(r"(\d+)(?:st|nd|rd|th)", n.text))


def _without_repeats(w: str) -> str:
    return "".join(c for i, c in enumerate(w) if w.index(c) == i)


def _shifted(n: Prompt) -> str:
    by = int(n[0])
    return "".join(chr((ord(c) - ord("a") + by) % 26 + ord("a")) for c in _word(n))


def _replaced(n: Prompt) -> str:
    old, new = groups(r"(?:each|letter) ([a-z]) .*?(?:by|into) ([a-z])\.", n.text)
    return re.sub(old, new, _word(n))


def _words(n: Prompt) -> list[str]:
    """The list of words in the prompt: "river, lamp, coin"."""
    return found(r"([a-z]+(?:, [a-z]+){3,})", n.text).split(", ")


def _list(n: Prompt) -> list[int]:
    """The list of numbers in the prompt: "3, 14, 15"."""
    return [int(x) for x in found(r"(\d+(?:, \d+){3,})", n.text).split(", ")]


def _lists(n: Prompt) -> list[list[int]]:
    return [[int(x) for x in part.split(", ")] for part in re.findall(r"\d+(?:, \d+){3,}", n.text)]


def _shown(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))


def _sorted(n: Prompt) -> str:
    return _shown(sorted(_list(n), reverse=n.text.index("largest") < n.text.index("smallest")))


def _digits(n: Prompt) -> list[int]:
    return [int(c) for c in str(int(max(n)))]


def _extreme(n: Prompt) -> str:
    numbers = _list(n)
    return _shown([numbers.index((max if "largest" in n.text else min)(numbers)) + 1])


def _jump(n: Prompt) -> int:
    numbers = _list(n)
    return max(abs(a - b) for a, b in pairwise(numbers))


def _pair(n: Prompt) -> str:
    numbers, total = _list(n), int(found(r"(?:up to|sum) (\d+)", n.text))
    return _shown(sorted(next([a, b] for a in numbers for b in numbers if a != b and a + b == total)))


def _swapped(n: Prompt) -> str:
    numbers = _list(n)
    i, j = (POSITIONS[p] for p in re.findall(r"\b(first|second|third|fourth|fifth)\b", n.text)[:2])
    numbers[i], numbers[j] = numbers[j], numbers[i]
    return _shown(numbers)


def _primes(n: Prompt) -> int:
    return sum(all(x % d for d in range(2, x)) and x > 1 for x in _list(n))


def _from_roman(text: str) -> int:
    values = [NUMERALS[c] for c in text]
    return sum(-v if v < max(values[i:]) else v for i, v in enumerate(values))


def _to_roman(n: Prompt) -> str:
    """Digit by digit, each by a pattern of the letters for one, five and ten of its place."""
    patterns = ["", "a", "aa", "aaa", "ab", "b", "ba", "baa", "baaa", "ac"]
    letters = ["IVX", "XLC", "CDM", "M"]
    places = [
        patterns[int(d)].translate(str.maketrans("abc"[: len(x)], x))
        for d, x in zip(str(n[0])[::-1], letters, strict=False)
    ]
    return "".join(reversed(places))


def _padded(n: Prompt) -> str:
    width, number = (n[0], n[1]) if n.text.startswith("A ticket") else (n[1], n[0])
    return str(number).rjust(int(width), "0")


def _root(n: Prompt) -> int:
    return (int(n[0]) - 1) % 9 + 1


def _spelled(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    tail = SMALL[rest - 1] if 0 < rest < 20 else TENS[rest // 10 - 2] if rest else ""
    if rest > 20 and rest % 10:
        tail += f"-{SMALL[rest % 10 - 1]}"
    return f"{SMALL[hundreds - 1]} hundred" + (f" and {tail}" if tail else "")


def _deleted(n: Prompt) -> str:
    digit, number = sorted(map(int, n))
    return str(number).replace(str(digit), "")


def _alternating(n: Prompt) -> int:
    return sum(d * (-1) ** i for i, d in enumerate(_digits(n)))


def _joined(n: Prompt) -> str:
    signs = {"a slash": "/", "a colon": ":", "a vertical bar": "|", "an underscore": "_"}
    return next(sign for name, sign in signs.items() if name in n.text).join(map(str, _list(n)))


def _iso(n: Prompt) -> str:
    moment = datetime.fromisoformat(found(r"(\d{4}-\d\d-\d\d)", n.text))
    return f"{moment.day} {moment:%B %Y}"


def _half_day(n: Prompt) -> str:
    return datetime.strptime(found(r"(\d+:\d\d [ap]m)", n.text), "%I:%M %p").strftime("%H:%M")


def _listed_name(n: Prompt) -> str:
    first, last = groups(r"(?:name|does) ([A-Z]\w+) ([A-Z]\w+)", n.text)
    return f"{last}, {first[0]}."


def _camel(n: Prompt) -> str:
    return re.sub(r"_(\w)", lambda m: m[1].upper(), _word(n))


ANSWERS: dict[str, Solver] = {
    # letters
    "reverse-word": lambda n: "".join(reversed(_word(n))),
    "count-letter": lambda n: Counter(_word(n))[_letter(n)],
    "count-vowels": lambda n: sum(c in VOWELS for c in _word(n)),
    "nth-letter": lambda n: _word(n)[_ordinal(n) - 1],
    "drop-vowels": lambda n: re.sub("[aeiou]", "", _word(n)),
    "replace-letter": _replaced,
    "sort-letters": lambda n: "".join(sorted(_word(n))),
    "alphabet-sum": lambda n: sum(ord(c) - 96 for c in _word(n)),
    "letter-shift": _shifted,
    "swap-ends": lambda n: re.sub(r"^(.)(.*)(.)$", r"\3\2\1", _word(n)),
    "every-second": lambda n: "".join(c for i, c in enumerate(_word(n)) if i % 2 == 0),
    "palindrome": lambda n: "yes" if list(_word(n)) == list(reversed(_word(n))) else "no",
    "anagram": lambda n: "yes" if Counter(quoted(n.text)[0]) == Counter(quoted(n.text)[1]) else "no",
    "common-letters": lambda n: "".join(sorted(set.intersection(*map(set, quoted(n.text))))),
    "rotate-word": lambda n: _word(n)[int(n[0]) :] + _word(n)[: int(n[0])],
    "without-repeats": lambda n: _without_repeats(_word(n)),
    "spell-out": lambda n: re.sub(r"(?<=.)(?=.)", "-", _word(n)).upper(),
    # phrases
    "initials": lambda n: re.sub(r"(\w)\w*\s*", r"\1", _word(n)).upper(),
    "count-words": lambda n: _word(n).count(" ") + 1,
    "nth-word": lambda n: _word(n).split()[_ordinal(n) - 1],
    "reverse-words": lambda n: " ".join(reversed(_word(n).split())),
    "sort-words": lambda n: _shown(sorted(_words(n))),
    "longest-word": lambda n: sorted(_words(n), key=len)[-1],
    "words-with-letter": lambda n: sum(_letter(n) in w for w in _words(n)),
    "words-of-length": lambda n: _shown(w for w in _words(n) if len(w) == n[0]),
    "camel-case": _camel,
    "hyphenated": lambda n: _word(n).casefold().replace(" ", "-"),
    "iso-date": _iso,
    "to-24-hours": _half_day,
    "list-name": _listed_name,
    "field-of-row": lambda n: found(r"([a-z]+(?:;[a-z]+)+)", n.text).split(";")[int(n[0]) - 1],
    "join-numbers": _joined,
    # number_lists
    "sort-numbers": _sorted,
    "second-largest": lambda n: sorted(_list(n))[-2],
    "median": lambda n: median(_list(n)),
    "spread": lambda n: sorted(_list(n))[-1] - sorted(_list(n))[0],
    "count-even": lambda n: sum(str(x)[-1] in "02468" for x in _list(n)),
    "sum-of-kind": lambda n: sum(x for x in _list(n) if (x & 1) == ("odd" in n.text)),
    "without-duplicates": lambda n: _shown(x for i, x in enumerate(_list(n)) if x not in _list(n)[:i]),
    "mode": lambda n: mode(_list(n)),
    "common-numbers": lambda n: _shown(sorted(set.intersection(*map(set, _lists(n))))),
    "count-multiples": lambda n: sum(x % int(found(r"(?:of|by) (\d+)(?:\?| without)", n.text)) == 0 for x in _list(n)),
    "above": lambda n: _shown(x for x in _list(n) if x > int(found(r"(?:than|above) (\d+)", n.text))),
    "position-of-extreme": _extreme,
    "running-totals": lambda n: _shown(sum(_list(n)[: i + 1]) for i in range(len(_list(n)))),
    "pair-with-sum": _pair,
    "biggest-jump": _jump,
    "count-primes": _primes,
    "swap-entries": _swapped,
    # digits
    "digit-sum": lambda n: sum(_digits(n)),
    "reverse-digits": lambda n: "".join(reversed(str(int(n[0])))),
    "digit-product": lambda n: prod(_digits(n)),
    "extreme-arrangement": lambda n: "".join(map(str, sorted(_list(n), reverse="largest" in n.text))),
    "count-digit": lambda n: str(int(max(n))).count(str(int(min(n)))),
    "to-binary": lambda n: bin(int(n[0]))[2:],
    "from-binary": lambda n: int(str(n[0]), 2),
    "to-roman": _to_roman,
    "from-roman": lambda n: _from_roman(found(r"\b([IVXLCDM]+)\b", n.text)),
    "thousands": lambda n: re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", str(n[0])),
    "zero-padded": _padded,
    "digital-root": _root,
    "number-words": lambda n: _spelled(int(n[0])),
    "words-to-number": lambda n: next(
        x for x in range(100, 1000) if _spelled(x) == found(r'(?:"|is )([a-z -]+?)["?]', n.text)
    ),
    "delete-digit": _deleted,
    "alternating-sum": _alternating,
    "increasing-digits": lambda n: "yes" if _digits(n) == sorted(set(_digits(n))) else "no",
}
