"""`podium leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podium.core.files import to_json
from podium.core.wording import counted

if TYPE_CHECKING:
    from eval.leaderboard import Board


def leaderboard(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR", help="Further run folders with a scorecard.json.")
    ] = None,
    evalset: Annotated[
        str | None,
        typer.Option("--evalset", metavar="NAME|FILE", help="A name or file; show only scores on this version of it."),
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Rows per table.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Rank complete trials and submissions: one table per evalset version, split and scorer version."""
    from eval.leaderboard import leaderboard as rank
    from eval.sets.evalset import load_evalset
    from podium.runs import find_entries

    wanted = load_evalset(evalset) if evalset else None
    entries, left_out = find_entries(runs or ())
    found = rank(entries, left_out, wanted)
    if as_json:
        typer.echo(to_json(found.model_dump(mode="json")), nl=False)
        return
    for place, board in enumerate(found.boards):
        if place:
            typer.echo()
        _show(board, top)
    if not found.boards:
        typer.echo("no scores yet; `podium sweep` and `podium submit` produce scores")
    for warning in found.warnings:
        typer.echo(f"warning: {warning}")


def _show(board: Board, top: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from eval.compare_page import interval_text
    from eval.scorecard import floored
    from podium.cli.terminal import console

    of = board.evalset
    first = f", first {of.max_items}" if of.max_items else ""
    typer.echo(f"evalset  {of.name} ({of.split}{first}), sha256 {of.sha256[:12]}: {counted(board.n_items, 'item')}")
    typer.echo(f"scorer   {board.scorer} version {board.scorer_version}")
    table = Table(box=None, pad_edge=False)
    for heading in ("rank", "score", "95% interval", "missing"):
        table.add_column(heading, justify="right")
    table.add_column("run")
    table.add_column("kind")
    for row in board.rows[:top]:
        figures = (str(row.rank), floored(row.answer_correctness), interval_text(row.interval), str(row.n_missing))
        table.add_row(*figures, Text(row.label), row.kind)
    console().print(table)
    if len(board.rows) > top:
        typer.echo(f"and {len(board.rows) - top} more; --top N or --json shows them")
