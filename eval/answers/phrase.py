"""The answer after a phrase that announces it: `The answer is 72.`, `**Answer**: 72`, `{"answer": 72}`."""

import re

# Titles and "approx." do not end a sentence; a full stop after initials does not either.
_SENTENCE_END = re.compile(
    r"(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMt)(?<!\bJr)(?<!\bSr)(?<!\bvs)(?<!\bMrs)(?<!\bProf)(?<!\bapprox)"
    r"[.!?](?=\s|$)"
)
_INITIALS = re.compile(r"(?:[A-Z]\. ?)+(?=[A-Z][a-z])")
_PHRASE = re.compile(
    r"""(?<![^\W_])(?:answer|(?:correct|right|best)[ ](?:option|choice))s?\b
    (?:[ ]to[ ][^\n.:=?!]{1,80}?)?  # the answer to the question is
    ["'*_`)]*[^\S\n]*
    (?:(?P<verb>(?:is|was|equals|(?:would|should|will|must)[ ]be)\b[^\S\n]*[:：]?) | [:：=] | (?<=\s)[-–—](?=\s))
    [*_`]*[^\S\n]*""",
    re.VERBOSE | re.IGNORECASE,
)
_HEADING = re.compile(r"[\W_]*(?:(?:the|my|final|correct|short) )*", re.IGNORECASE)
_WORD = re.compile(r"(?<!`)\b\w")  # not the `json` of a code fence
_JSON = re.compile(
    r"""["'](?:\w{1,20}_)?answer["']\s*:\s*
    (?: "(?P<double>(?:[^"\\\n]|\\.)*)" | '(?P<single>(?:[^'\\\n]|\\.)*)'
    | (?P<bare>\[[^\]\n]*\]|[^\s,}\]"'][^,}\n]*) )""",
    re.VERBOSE | re.IGNORECASE,
)


def answer_phrase(text: str) -> str | None:
    """The text after the last phrase that some text follows, up to the end of the sentence or the line.

    After "answer is", and below a line that says "Answer:" and nothing else, the answer may stand on a line of its own.
    """
    lower = text.lower()
    if "answer" not in lower and "option" not in lower and "choice" not in lower:
        return None
    if 'answer"' in lower or "answer'" in lower:
        fields = list(_JSON.finditer(text))
        if fields:
            return str(fields[-1][fields[-1].lastgroup or 0])
    for phrase in reversed(list(_PHRASE.finditer(text))):
        found = _after(text, phrase)
        if found is not None and not _asks(found):
            return first_sentence(found)
    return None


def _after(text: str, phrase: re.Match[str]) -> str | None:
    line_start, line_end = text.rfind("\n", 0, phrase.start()) + 1, text.find("\n", phrase.end())
    rest = text[phrase.end() :] if line_end < 0 else text[phrase.end() : line_end]
    if _WORD.search(rest):
        return rest
    if line_end >= 0 and (phrase["verb"] or _HEADING.fullmatch(text, line_start, phrase.start())):
        return next((line.strip() for line in text[line_end:].split("\n") if _WORD.search(line)), None)
    return None


def _asks(text: str) -> bool:
    """Whether the first sentence is a question that the rest answers: `3? No, it is 4.`"""
    sentence = first_sentence(text)
    return text.startswith("?", len(sentence)) and _WORD.search(text, len(sentence)) is not None


def first_sentence(text: str) -> str:
    initials = _INITIALS.match(text)
    end = _SENTENCE_END.search(text, initials.end() if initials else 0)
    return text[: end.start()] if end else text
