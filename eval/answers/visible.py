"""The part of a model's text that speaks to the reader: no thoughts, no end-of-text token, no invisible characters."""

import re

INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\u20e3\ufeff]"
)  # soft hyphen, zero-width characters, directions, variants of a character, keycap, byte order mark

_MARKUP = re.compile("<[/|a-z]", re.IGNORECASE)
_THOUGHT = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_END = re.compile(r"<\|(?:im_end|end|eot_id|eom_id|endoftext|end_of_text)\|>|<end_of_turn>|<eos>")
_EMPHASIS = re.compile(r"</?(?:b|i|u|em|strong|span)(?: [^<>]{0,100})?>", re.IGNORECASE)
_BREAK = re.compile(r"</?(?:br|p|div)(?: [^<>]{0,100})?/?>", re.IGNORECASE)


def visible(text: str) -> str:
    """`text` without <think>...</think>, and up to the first end-of-text token that follows some text.

    A <think> that is never closed hides the rest. A </think> that was never opened hides what stands before it, since
    many chat templates write the opening tag into the prompt.
    """
    if not text.isascii():
        text = INVISIBLE.sub("", text)
    if not _MARKUP.search(text):
        return text
    said = _before_end(_without_thoughts(text)).strip().removesuffix("</s>")
    return _BREAK.sub("\n", _EMPHASIS.sub("", said))


def _without_thoughts(text: str) -> str:
    said, start, hidden = [], 0, False
    for tag in _THOUGHT.finditer(text):
        if not tag[1]:
            said.append("" if hidden else text[start : tag.start()])
        elif not hidden:
            said.clear()
        hidden, start = not tag[1], tag.end()
    return "".join(said) + ("" if hidden else text[start:])


def _before_end(text: str) -> str:
    start = 0
    for end in _END.finditer(text):
        if text[start : end.start()].strip():
            return text[start : end.start()]
        start = end.end()
    return text[start:]
