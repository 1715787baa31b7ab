"""A story: a worked problem written as data, a paragraph of `key: value` lines in `stories/*.txt`.

    story: bakery-trays, easy
    draw: a=4..9; b=6..12; c=10..30; thing=muffins|rolls|scones
    where: a * b > c + 5
    ask: {who} bakes {a} trays of {b} {thing} and sells {c} of them. How many {thing} are left?
    ask: (the same in other words; each `ask` is a form)
    plan: Find how many were baked, then take away those that were sold.
    work: Baked: {all = a * b}
    work: Left: {left = all - c}
    check: {= left + c}, the number that was baked.
    so: {left} {thing} are left.
    answer: {left}

`draw` lists what varies: `a=4..9`, `a=10..90/10` (in tens), `x=2|5|7`, `thing,box=eggs,tray|pears,crate` (together),
and `total:=a * b` (follows from the others). It is drawn again until `where` holds. Names and pronouns of `Draw.people`
are always there. In the texts, `{a}` is a value, `{a:$}` one in a format of Number, `{n + 1}` an expression,
`{left = all - c}` a calculation written out with its result, `{x ~2 a / b}` one rounded to two decimals.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

from trainer.recipes.reasoning_problems.numbers import FUNCTIONS, Number, evaluate, rounded
from trainer.recipes.reasoning_problems.problem import Draw, Level, Problem, Step

FOLDER = Path(__file__).parent / "stories"
MAX_TRIES = 2000

_CALCULATION = re.compile(r"(\w*) ?(=|~(\d)) (.+)")
_NAME = re.compile(r"[A-Za-z_]\w*")
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)(?:/(\d+))?")


@dataclass(frozen=True)
class Story:
    """`lines` has the texts of a paragraph by key, in order."""

    name: str
    level: Level
    lines: Mapping[str, tuple[str, ...]]

    @property
    def forms(self) -> int:
        return len(self.lines["ask"])

    def problem(self, draw: Draw, form: int) -> Problem:
        values = self._values(draw)
        prompt = _render(self.lines["ask"][form], values)
        steps: list[Step] = [("understand", _render(text, values)) for text in self.lines.get("understand", ())]
        steps += [("plan", _render(text, values)) for text in self.lines["plan"]]
        steps += [(_kind(text), _render(text, values)) for text in self.lines["work"]]
        steps += [("check", _render(text, values)) for text in self.lines.get("check", ())]
        steps += [("conclude", _render(text, values)) for text in self.lines["so"]]
        return Problem(prompt, tuple(steps), _render(self.lines["answer"][0], values))

    def _values(self, draw: Draw) -> dict[str, Any]:
        conditions = self.lines.get("where", ())
        for _ in range(MAX_TRIES):
            values: dict[str, Any] = draw.people()
            for part in self.lines.get("draw", ("",))[0].split(";"):
                values.update(_drawn(draw, part.strip(), values))
            if all(evaluate(condition, values) for condition in conditions):
                return values
        raise RuntimeError(f"story {self.name!r}: no draw meets {conditions} in {MAX_TRIES} tries; widen its ranges")


@cache
def stories(topic: str) -> tuple[Story, ...]:
    """The stories of `stories/<topic>.txt`, in file order. Raises ValueError naming an invalid paragraph."""
    text = (FOLDER / f"{topic}.txt").read_text(encoding="utf-8")
    return tuple(_parsed(paragraph, topic) for paragraph in re.split(r"\n\s*\n", text.strip()))


def _parsed(paragraph: str, topic: str) -> Story:
    lines: dict[str, tuple[str, ...]] = {}
    for line in paragraph.splitlines():
        key, _, value = line.partition(":")
        lines[key.strip()] = (*lines.get(key.strip(), ()), value.strip())
    required = {"story", "ask", "plan", "work", "so", "answer"}
    missing, surplus = required - lines.keys(), lines.keys() - required - {"draw", "where", "understand", "check"}
    name, _, level = lines.pop("story", ("?",))[0].partition(", ")
    if missing or surplus or level not in get_args(Level):
        raise ValueError(
            f"{topic}.txt, story {name!r}: level {level!r}, missing {sorted(missing)}, unknown {sorted(surplus)}"
        )
    return Story(name, cast(Level, level), lines)


def _drawn(draw: Draw, part: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The names and values that one part of a `draw` line gives."""
    if not part:
        return
    names, _, spec = part.partition("=")
    if names.endswith(":"):
        yield names[:-1].strip(), evaluate(spec, values)
    elif found := _RANGE.fullmatch(spec.strip()):
        yield names.strip(), Number(draw.number(int(found[1]), int(found[2]), int(found[3] or 1)))
    else:
        chosen = draw.pick(spec.split("|"))
        for name, word in zip(names.split(","), chosen.split(","), strict=True):
            yield name.strip(), _value(word.strip())


def _value(word: str) -> Any:
    return Number(word) if re.fullmatch(r"-?\d+(\.\d+)?(/\d+)?", word) else word


def _kind(text: str) -> str:
    """The step type of a line of work: compute if it has a calculation, else reason."""
    return "compute" if re.search(r"\{\w* ?(=|~\d) ", text) else "reason"


def _render(text: str, values: dict[str, Any]) -> str:
    """`text` with its braces filled in. Names that a calculation assigns are added to `values`."""
    return re.sub(r"\{([^{}]+)\}", lambda found: _filled(found[1], values), text)


def _filled(inner: str, values: dict[str, Any]) -> str:
    if calculation := _CALCULATION.fullmatch(inner):
        name, sign, decimals, expression = calculation.groups()
        exact = evaluate(expression, values)
        result = exact if decimals is None else rounded(exact, int(decimals))
        if name:
            values[name] = result
        shown = str(result) if decimals is None else format(result, f".{decimals}")
        return f"{_written(expression, values, name)} {'=' if sign == '=' or result == exact else '≈'} {shown}"
    expression, _, spec = inner.partition(":")
    return format(values[inner] if inner in values else evaluate(expression, values), spec)


def _written(expression: str, values: Mapping[str, Any], result: str) -> str:
    """`expression` with names replaced by values; negative numbers and fractions inside it are in brackets."""

    def value_of(found: re.Match[str]) -> str:
        if found[0] in FUNCTIONS or found[0] == result:
            raise ValueError(f"a calculation is written out, so {expression!r} must not use {found[0]!r}")
        shown = str(values[found[0]])
        return f"({shown})" if (shown.startswith("-") and found.start()) or "/" in shown else shown

    return _NAME.sub(value_of, expression)
