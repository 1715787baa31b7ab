"""Exact numbers that print as people write them, and the arithmetic that stories are written in."""

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


class Number(Fraction):
    """A Fraction that prints as 12, 2.5 or 7/3, and by format: `.2` two decimals (half up), `,` thousands,
    `$` money, `/` always a fraction, `th` ordinal, `word` up to twelve, `clock` minutes of the day as 14:05."""

    def __str__(self) -> str:
        decimals = next((n for n in range(7) if (self * 10**n).denominator == 1), None)
        return f"{self.numerator}/{self.denominator}" if decimals is None else fixed(self, decimals)

    def __format__(self, spec: str) -> str:
        match spec:
            case "":
                return str(self)
            case "/":
                return f"{self.numerator}/{self.denominator}"
            case "$":
                return f"${fixed(self, 0 if self.denominator == 1 else 2)}"
            case ",":
                whole, _, rest = str(self).partition(".")
                return f"{int(whole):,}" + (f".{rest}" if rest else "")
            case "th":
                return ordinal(int(self))
            case "word":
                return WORDS[int(self)]
            case "clock":
                return f"{int(self) // 60 % 24:02}:{int(self) % 60:02}"
        return fixed(self, int(spec.removeprefix(".")))


def fixed(value: Fraction, decimals: int) -> str:
    """`value` with `decimals` decimals, rounded half up (away from zero), as taught at school."""
    scaled = abs(value) * 10**decimals
    digits = str(math.floor(scaled + Fraction(1, 2))).rjust(decimals + 1, "0")
    sign = "-" if value < 0 and int(digits) else ""
    return sign + (f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits)


def rounded(value: Fraction, decimals: int) -> Number:
    return Number(fixed(value, decimals))


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def added(numbers: Sequence[int]) -> str:
    """3 + 4 + 5 = 12"""
    return f"{' + '.join(map(str, numbers))} = {sum(numbers)}"


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "comb": lambda n, k: math.comb(int(n), int(k)),
    "floor": math.floor,
    "gcd": lambda a, b: math.gcd(int(a), int(b)),
    "lcm": lambda a, b: math.lcm(int(a), int(b)),
    "max": max,
    "min": min,
}
OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: lambda base, exponent: base ** int(exponent),
    ast.USub: operator.neg,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def evaluate(expression: str, values: Mapping[str, Any]) -> Any:
    """The exact value of `expression` over `values`: numbers, names, + - * / // % ^, comparisons, `and`, FUNCTIONS."""
    result = _walk(ast.parse(expression.strip().replace("^", "**"), mode="eval").body, values)
    return Number(result) if isinstance(result, int | Fraction) and not isinstance(result, bool) else result


def _walk(node: ast.AST, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value):
            return Fraction(str(value)) if isinstance(value, int | float) else value
        case ast.Name(name):
            return values[name]
        case ast.UnaryOp(op, operand):
            return OPERATORS[type(op)](_walk(operand, values))
        case ast.BinOp(left, op, right):
            return OPERATORS[type(op)](_walk(left, values), _walk(right, values))
        case ast.BoolOp(ast.And(), parts):
            return all(_walk(part, values) for part in parts)
        case ast.Compare(left, ops, comparators):
            terms = [_walk(term, values) for term in (left, *comparators)]
            return all(OPERATORS[type(op)](a, b) for op, a, b in zip(ops, terms, terms[1:], strict=False))
        case ast.Call(ast.Name(name), args):
            return FUNCTIONS[name](*(_walk(arg, values) for arg in args))
    raise ValueError(f"expression holds {ast.dump(node)}; use numbers, names, arithmetic and {', '.join(FUNCTIONS)}")
