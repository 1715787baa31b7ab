"""Turn the LaTeX that models write in answers into plain text."""

import re

_SYMBOLS = {
    **dict.fromkeys(("left", "right", "displaystyle", "!", "(", ")", "[", "]"), ""),
    **dict.fromkeys((",", ";", ":", " ", "quad", "qquad"), " "),
    **dict.fromkeys(("times", "cdot"), "*"),
    **dict.fromkeys(("circ", "degree"), "°"),
    **{"div": "/", "pm": "±", "pi": "pi", "infty": "infinity"},
    **{"le": "<=", "leq": "<=", "ge": ">=", "geq": ">=", "ne": "!=", "neq": "!="},
    **{symbol: symbol for symbol in "$%#&_{}"},
}
_MATH = re.compile(r"\$+([^$]+)\$+")
_MATH_INSIDE = re.compile(r"(?<![\\$])\$(?=\S)([^$]*[^\s$])\$(?![\d$])")  # `$72$ apples`, but not `$5 and $6`
_PART = r"\s*(?:\{([^{}]*)\}|(\d))"  # \frac12 is \frac{1}{2}
_FRACTION = re.compile(rf"\\[dtc]?frac{_PART}{_PART}")
_STYLED = re.compile(r"\\(?:text(?:bf|it|rm|sf|normal)?|math(?:rm|bf|it|sf)|boxed|fbox|mbox|operatorname)\{([^{}]*)\}")
_ROOT = re.compile(rf"\\sqrt{_PART}")
_THOUSANDS = re.compile(r"(?<=\d)(?:\\[,!;]|\{,\})+(?=\d{3})")
_POWER = re.compile(r"\^\{([^{}]*)\}")
_SYMBOL = re.compile(r"\^?\\([a-z]+|[^a-z])", re.IGNORECASE)


def plain(text: str) -> str:
    r"""`$\frac{1}{2}$` is 1/2, `1\frac{1}{2}` is 1 1/2, `90^\circ` is 90°, `12\text{ cm}` is 12 cm.

    Unknown commands stay as they are.
    """
    if "$" in text:
        whole = _MATH.fullmatch(text.strip())
        text = whole[1] if whole else _MATH_INSIDE.sub(r"\1", text)
    if "{" not in text and "\\" not in text:
        return text
    text = _THOUSANDS.sub(",", text)
    before = None
    while before != text:  # from the innermost braces outwards
        before = text
        text = _STYLED.sub(r"\1", _POWER.sub(r"^\1", _ROOT.sub(lambda found: f"sqrt({found[1] or found[2]})", text)))
        text = _FRACTION.sub(_fraction, text)
    return _SYMBOL.sub(lambda found: _SYMBOLS.get(found[1], found[0]), text)


def _fraction(found: re.Match[str]) -> str:
    mixed = found.start() > 0 and found.string[found.start() - 1].isdigit()  # 1\frac{1}{2} is 1 1/2
    return f"{' ' if mixed else ''}{_bracketed(found[1] or found[2] or '')}/{_bracketed(found[3] or found[4] or '')}"


def _bracketed(part: str) -> str:
    part = part.strip()
    return part if re.fullmatch(r"-?[\w.]+", part) else f"({part})"
