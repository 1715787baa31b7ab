"""Turn the LaTeX that models write in answers into plain text."""

import re

_SYMBOLS = {
    **dict.fromkeys(("left", "right", "displaystyle", "!"), ""),
    **dict.fromkeys((",", ";", ":", " ", "quad", "qquad"), " "),
    **dict.fromkeys(("times", "cdot"), "*"),
    **dict.fromkeys(("circ", "degree"), "°"),
    **{"div": "/", "pm": "±", "pi": "pi", "infty": "infinity"},
    **{"le": "<=", "leq": "<=", "ge": ">=", "geq": ">=", "ne": "!=", "neq": "!="},
    **{symbol: symbol for symbol in "$%#&_{}"},
}
_MATH = re.compile(r"\$+(?P<dollars>[^$]+)\$+|\\\((?P<inline>.+)\\\)|\\\[(?P<block>.+)\\\]", re.DOTALL)
_FRACTION = re.compile(r"(?<=\d)(?P<gap>)\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}|\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_STYLED = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|boxed|mbox|operatorname)\{([^{}]*)\}")
_ROOT = re.compile(r"\\sqrt\{([^{}]*)\}")
_POWER = re.compile(r"\^\{([^{}]*)\}")
_SYMBOL = re.compile(r"\^?\\([a-z]+|[^a-z])", re.IGNORECASE)


def plain(text: str) -> str:
    r"""`$\frac{1}{2}$` is 1/2, `1\frac{1}{2}` is 1 1/2, `90^\circ` is 90°, `12\text{ cm}` is 12 cm.

    Unknown commands stay as they are.
    """
    whole = _MATH.fullmatch(text.strip())
    if whole:
        text = whole["dollars"] or whole["inline"] or whole["block"]
    text = text.replace("{,}", ",")
    if "\\" not in text:
        return text
    before = None
    while before != text:  # from the innermost braces outwards
        before = text
        text = _STYLED.sub(r"\1", _POWER.sub(r"^\1", _ROOT.sub(r"sqrt(\1)", text)))
        text = _FRACTION.sub(_fraction, text)
    return _SYMBOL.sub(lambda found: _SYMBOLS.get(found[1], found[0]), text)


def _fraction(found: re.Match[str]) -> str:
    gap = "" if found["gap"] is None else " "
    top, bottom = (found[2], found[3]) if gap else (found[4], found[5])
    return f"{gap}{_bracketed(top)}/{_bracketed(bottom)}"


def _bracketed(part: str) -> str:
    part = part.strip()
    return part if re.fullmatch(r"-?[\w.]+", part) else f"({part})"
