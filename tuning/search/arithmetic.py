"""The arithmetic expressions of a search space: `0.1 * train.max_steps`, `peak_memory_gb <= 16`.

Python's parser reads them; they are evaluated here, node by node. Allowed are numbers, names, + - * / // % **, min,
max, floor, ceil, sqrt, and one comparison in a constraint. Nothing is ever executed as Python code.
"""

import ast
import math
import operator
import re
from collections.abc import Callable

from podium.core.errors import UsageError

Lookup = Callable[[str], float]
BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,  # floats overflow; a tower of powers of whole numbers would fill the memory
}
FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
}
# Names with a slash, which Python would parse as a division.
METRIC = re.compile(r"\b(dev|train|plan|own)/([A-Za-z_]\w*)")
MOST_CHARACTERS = 200  # keeps the parser's recursion shallow


class Expression:
    """An expression with a numeric value. `names` are the config keys and metrics that it needs, in order."""

    def __init__(self, text: str) -> None:
        """Raises UsageError unless `text` is arithmetic."""
        self.text = text.strip()
        self._tree = self._parse()
        self.names = list(dict.fromkeys(_names(self._tree, self.text)))

    def value(self, lookup: Lookup) -> float:
        """The value; `lookup` returns that of a name. Raises UsageError if it is not finite (a division by zero)."""
        try:
            number = float(_evaluate(self._tree, lookup))
        except (ArithmeticError, ValueError, TypeError) as error:
            raise UsageError(f"{self.text!r} has no value here: {error}") from error
        if not math.isfinite(number):
            raise UsageError(f"{self.text!r} has no value here: it is {number}")
        return number

    def _parse(self) -> ast.expr:
        if len(self.text) > MOST_CHARACTERS:
            raise UsageError(f"{self.text[:40]!r}...: {len(self.text)} characters, must be {MOST_CHARACTERS} at most")
        try:
            return ast.parse(METRIC.sub(r"\1__\2", self.text), mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise UsageError(f"{self.text!r} is not arithmetic; write one like '0.1 * train.max_steps'") from error


class Constraint(Expression):
    """`LEFT <= RIGHT` or `LEFT >= RIGHT`. Its value is the violation: positive if it is broken, else 0 or less."""

    def _parse(self) -> ast.expr:
        tree = super()._parse()
        if not (isinstance(tree, ast.Compare) and len(tree.ops) == 1 and isinstance(tree.ops[0], ast.LtE | ast.GtE)):
            raise UsageError(f"{self.text!r} must be one comparison with <= or >=, like 'peak_memory_gb <= 16'")
        less, more = tree.left, tree.comparators[0]
        self._sides = (less, more) if isinstance(tree.ops[0], ast.LtE) else (more, less)
        return ast.BinOp(self._sides[0], ast.Sub(), self._sides[1])

    def bound(self) -> tuple[str, float, float] | None:
        """(name, low, high), the range that it allows, if it compares a name with a number; else None."""
        smaller, larger = self._sides
        if isinstance(smaller, ast.Name | ast.Attribute) and isinstance(larger, ast.Constant):
            return self.names[0], -math.inf, float(larger.value)  # type: ignore[arg-type]
        if isinstance(larger, ast.Name | ast.Attribute) and isinstance(smaller, ast.Constant):
            return self.names[0], float(smaller.value), math.inf  # type: ignore[arg-type]
        return None


def _names(node: ast.expr, text: str) -> list[str]:
    """The names in the tree below `node`. Raises UsageError for a node that is not arithmetic."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return []
        case ast.Name() | ast.Attribute(value=ast.Name()):
            return [_name(node)]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            return _names(node.operand, text)
        case ast.BinOp() if type(node.op) in BINARY:
            return _names(node.left, text) + _names(node.right, text)
        case ast.Call(func=ast.Name(id=name), args=[_, *_], keywords=[]) if name in FUNCTIONS:
            return [found for argument in node.args for found in _names(argument, text)]
    allowed = f"numbers, config keys, + - * / // % ** and {', '.join(FUNCTIONS)}"
    raise UsageError(f"{text!r} is not plain arithmetic; use only {allowed}")


def _evaluate(node: ast.expr, lookup: Lookup) -> float:
    match node:
        case ast.Constant():
            return float(node.value)  # type: ignore[arg-type]
        case ast.UnaryOp():
            value = _evaluate(node.operand, lookup)
            return -value if isinstance(node.op, ast.USub) else value
        case ast.BinOp():
            return BINARY[type(node.op)](_evaluate(node.left, lookup), _evaluate(node.right, lookup))
        case ast.Call(func=ast.Name(id=name)):
            return FUNCTIONS[name](*(_evaluate(argument, lookup) for argument in node.args))
    return float(lookup(_name(node)))


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id.replace("__", "/") if isinstance(node, ast.Name) else ""
