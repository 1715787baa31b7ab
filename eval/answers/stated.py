"""The quantity that a sentence states: the only number in it, if no word denies or changes it."""

import re
from functools import lru_cache

from eval.answers.normalise import normalise
from eval.answers.number_words import leading_number, number_words
from eval.answers.quantity import VALUE, Quantity, from_match, normalised, quantity
from eval.answers.units import NAMES, UNITS

LONGEST = 400  # characters; a longer text is no sentence

# Matches normalised text, which is in lower case. Nothing may touch the number that could change it, as in x^2 or 5!.
_STATED = re.compile(rf"(?:^|(?<=[\s(\[{{\"'*~≈:=,;])){VALUE}(?P<after>(?:[\s,.;:)\]}}\"'*?%°].*|[a-z%°]\S*)?)$")
_ASIDE = re.compile(r"^(?:=>|->|→|⇒) ?|<<[^<>]*>>")  # an arrow, and the calculator notes of GSM8K
_SUM = re.compile(r"(?:^|(?<=[\s(:,$]))[-\d.$€£¥%()+*/ ]*\d[-\d.$€£¥%()+*/ ]*=(?=[ \d$€£¥.(-])")  # 3*24= of 3*24=72
_REASON = re.compile(r",? (?:because|since) .*")  # 2*3=6 of `6 because 2*3=6` is no second answer
_DENIED = re.compile(
    r"""\b(?: not|no|never|neither|nor|none|cannot|without|unless|except|instead|rather|or|either|between|doubt\w*
    | (?:anything|everything|all|nothing)\ but | at\ (?:least|most) | up\ to | and\ a\ (?:half|quarter|third)
    | too\ (?:big|small|large|many|few|much|little|high|low|long|short)
    | (?:is|was|are|be|seems|looks)\ (?:\w+\ )?(?:wrong|incorrect|false|impossible) )\b
    | n't\b | [<>≤≥≠±^|!√] | sqrt | [(:,]\ ?(?:wrong|incorrect|false)\b
    | ^(?:wrong|incorrect|false|if|what|why|how|could|can)\b""",
    re.VERBOSE,
)
_CHANGED_BEFORE = re.compile(
    r"""(?: \b(?:more|less|fewer|greater|larger|smaller|bigger|higher|lower|other|different)\ than\b.*
    | \b(?:over|under|above|below|beyond|past|near|nearly|almost|exceed\w*|half|double|twice|thrice|triple|plus|times
        |minus|close\ to|next\ to|number\ (?:after|before))
    | \b(?:half|third|quarter|double|square|squared|cube|root|factorial|log|logarithm|multiple|power|reciprocal|inverse
        |opposite|sin|cos|tan|ln|exp)s?(?:\ of)?
    | \b(?:step|question|problem|exercise|example|case|part|chapter|section|figure|page|line)  # a label, not a number
    | -)[\s(]*$""",
    re.VERBOSE,
)
_CHANGED_AFTER = re.compile(
    r"""\s*(?: (?:tens|hundreds|thousands|millions|billions|halves|thirds|(?:four|fif|six|seven|eigh|nin|ten)ths
        |(?:hundred|thousand|million)ths|squared|cubed|factorial|pi|π|dozens?|plus|minus|divided|multiplied|modulo|mod|raised|choose)\b
    | (?:degrees\ )?below\b | less\ one\b
    | times\ (?!as\b|in\b|a\b|per\b|more\b|each\b|every\b|the\b|larger\b|longer\b)\w | [b-z]\b )""",
    re.VERBOSE,
)
_SIGN_BEFORE = re.compile(r"(?:^|\b(?:is|be|was|equals|to|of|about|approximately)|[:=,]) ?$")
_PUNCTUATION = "()[]{},.;:\"'*?!"
_BRACKETED = re.compile(r"([^()]*\d[^()]*?) ?\(([^()\d]+)\)")
_NO_NOUN_WORDS = """
    a about after all altogether an and as at away because before by during each every extra fewer for from has have he
    her his i if in is it its left less long meaning more of old on only or over per remaining she since so some that
    the their there they this to today total we when where which while who will with you
"""
_NO_NOUN = frozenset(_NO_NOUN_WORDS.split())


def stated(answer: str) -> Quantity | None:
    """The quantity that `answer` is or states: 72 of `72 in total`, `about 72`, `20 (twenty)`, `3 * 24 = 72 apples`.

    A number in words counts if a short answer begins with it: 5 of `five apples`.

    None if there is a second number, in digits or in words; a word that denies the number or offers a choice (`not 7`,
    `7 or so`); one that changes it (`half of 7`, `more than 7`); or a calculation that was not carried out (`2 + 3`).
    """
    whole = quantity(answer)
    return whole if whole is not None or len(answer) > LONGEST else _stated_in(answer)


@lru_cache(maxsize=1 << 16)
def _stated_in(answer: str) -> Quantity | None:
    text = _REASON.sub("", _ASIDE.sub("", normalised(answer)))
    if not any(map(str.isdigit, text)):
        text = leading_number(text)
    if "=" in text:
        text = _SUM.sub(" ", text).strip()
    found = _STATED.search(text)
    if found is None:
        return None
    before, (unit, after) = text[: found.start()], _split_unit(found["after"] or "")
    if any(map(str.isdigit, before + after)) or _is_changed(before, found["minus"], after):
        return None
    is_noun = unit not in NAMES or unit == found["currency"]
    value = from_match(found, None if found["currency"] and is_noun else unit)  # $3M is neither $3 nor 3 metres
    return value if value and all(number == value.value for number in number_words(f"{before} {after}")) else None


def expected_quantity(right: str) -> Quantity | None:
    """The quantity that a right answer is: 5 of `5 km`, and 9 apples of `9 (apples)`."""
    whole = quantity(right)
    found = None if whole or len(right) > LONGEST else _BRACKETED.fullmatch(normalise(right))
    number = quantity(found[1]) if found else None
    if not found or not number or number.unit:
        return whole
    return Quantity(number.value, UNITS.get(found[2], _singular(found[2])), number.variable)


def denies(text: str) -> bool:
    """Whether lower-case text beside an answer denies it, limits it or offers a choice: `not`, `at least`, `or`."""
    return _DENIED.search(text) is not None


def _is_changed(before: str, sign: str, after: str) -> bool:
    if denies(f"{before} # {after}") or _CHANGED_BEFORE.search(before) or _CHANGED_AFTER.match(after):
        return True
    return sign == "minus " and not _SIGN_BEFORE.search(before)  # `x minus 3`


def _split_unit(after: str) -> tuple[str | None, str]:
    """The unit, or the noun, right after the number, and the text after a unit; None if there is another word."""
    words = after.split(maxsplit=4)[:4]
    for n_words in range(len(words), 0, -1):
        name = " ".join(words[:n_words]).strip(_PUNCTUATION)
        if name in UNITS and (name != "in" or len(words) == 1):  # `72 in total` is not in inches
            return UNITS[name], after.split(words[n_words - 1], 1)[1]
    noun = words[0].strip(_PUNCTUATION) if words else ""
    if noun in _NO_NOUN or not noun.isalpha() or number_words(noun):
        return None, after
    return _singular(noun), after if after[:1].isspace() else f"^{after}"  # `7th` is no noun


def _singular(noun: str) -> str:
    return noun.removesuffix("s")
