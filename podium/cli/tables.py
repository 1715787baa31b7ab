"""Print tables and JSON. A table is as wide as its content, unless that is wider than the terminal."""

import json
import re
from collections.abc import Sequence
from typing import Any

import typer

from podium.cli.terminal import columns as terminal_columns
from podium.cli.terminal import console

# A number, with its unit or alone, or what stands for a missing one.
_FIGURE = re.compile(r"[-+]?\d[\d,.]*( ?(%|x|ms|s|h|[hm] \d\d[ms]|MB|GB))?|[-?]|")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table with numbers aligned right and texts aligned left."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    right = [all(_FIGURE.fullmatch(row[place]) for row in cells[1:]) for place in range(len(columns))]
    room = terminal_columns()
    if room is not None and sum(widths) + 2 * (len(widths) - 1) > room:
        _print_wrapped(cells, right)
        return
    for row in cells:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        typer.echo("  ".join(padded).rstrip())


def _print_wrapped(cells: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    """Print a table in which texts go over several lines; the first column and numbers do not."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="none")
    for place, (heading, to_right) in enumerate(zip(cells[0], right, strict=True)):
        table.add_column(
            Text(heading), justify="right" if to_right else "left", no_wrap=place == 0 or to_right, overflow="fold"
        )
    for row in cells[1:]:
        table.add_row(*map(Text, row))
    console().print(table)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))
