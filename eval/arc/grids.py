"""Grids as values and as text."""

import re
from typing import Any

Grid = list[list[int]]
MAX_SIDE = 30

# Possessive quantifiers (++) keep the time linear in the length of a hostile text.
_JSON_GRID = re.compile(r"\[(?:\s*+\[[\d\s,]*+\]\s*+,?+)++\s*+\]")
_JSON_ROW = re.compile(r"\[([\d\s,]*)\]")
_TEXT_ROW = re.compile(r"[ \t|]*(\d++|\d(?:(?:[ \t]++[,|]?+|[,|])[ \t]*+\d)++)[ \t|]*")


def grid_problem(value: Any) -> str | None:
    """The rule that `value` breaks, with the place; None for a grid: 1 to 30 rows of one length, 1 to 30 digits."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_SIDE:
        found = f"{len(value)} rows" if isinstance(value, list) else f"a {type(value).__name__}"
        return f"it is {found}, must be a list of 1 to {MAX_SIDE} rows"
    for i, row in enumerate(value):
        if not isinstance(row, list) or not 1 <= len(row) <= MAX_SIDE:
            found = f"{len(row)} cells" if isinstance(row, list) else f"a {type(row).__name__}"
            return f"row {i} is {found}, must be a list of 1 to {MAX_SIDE} cells"
        if len(row) != len(value[0]):
            return f"row {i} has {len(row)} cells and row 0 has {len(value[0])}, must be equal"
        for j, cell in enumerate(row):
            if type(cell) is not int or not 0 <= cell <= 9:  # type, not isinstance: True is an int too
                return f"row {i}, cell {j} is {str(cell)[:20]!r}, must be an integer 0 to 9"
    return None


def format_grid(grid: Grid) -> str:
    """One line per row, with spaces between cells: `0 7 7`."""
    return "\n".join(" ".join(map(str, row)) for row in grid)


def parse_grid(text: str) -> Grid:
    """The last grid in `text` (in its last <answer>, if it has one), as JSON or as lines of digits.

    Raises:
        ValueError: there is no grid, or the last one breaks a rule; the message is the reason in a score.
    """
    found = find_grids(text.rpartition("<answer>")[2].partition("</answer>")[0])
    if not found:
        raise ValueError("no grid in the text")
    problem = grid_problem(found[-1])
    if problem:
        raise ValueError(f"the last grid in the text is invalid: {problem}")
    return found[-1]


def find_grids(text: str) -> list[Grid]:
    """Everything that looks like a grid, in order; some may be ragged or too large."""
    found = [(match.start(), _json_rows(match.group())) for match in _JSON_GRID.finditer(text)]
    rest = _JSON_GRID.sub(lambda match: "#" * len(match.group()), text)
    start, rows = 0, []
    for line in [*rest.split("\n"), ""]:
        row = _TEXT_ROW.fullmatch(line.rstrip())
        if row:
            rows.append([int(digit) for digit in re.findall(r"\d", row.group(1))])
        elif rows:
            found.append((start, rows))
            rows = []
        start += len(line) + 1
    return [grid for _, grid in sorted(found, key=lambda item: item[0])]


def _json_rows(text: str) -> Grid:
    # Five digits are enough to be out of range; Python does not convert numbers with thousands of digits.
    return [[int(number[:5]) for number in re.findall(r"\d+", row)] for row in _JSON_ROW.findall(text)]
