"""Print plain tables and JSON; columns are as wide as their content, whatever the terminal."""

import json
from collections.abc import Sequence
from typing import Any

import typer


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table with numbers aligned right and texts aligned left."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    right = [all(isinstance(row[place], int | float) for row in rows) for place in range(len(columns))]
    for row in cells:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        typer.echo("  ".join(padded).rstrip())


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))
