"""`podium compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podium.core.files import write_json, write_text
from podium.core.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

    from eval.compare import Comparison, Pairing

WIDTH = 28  # characters of an extracted answer in the table


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Two or more: STUDY/N, a submission, a run folder or predictions."),
    ],
    evalset: Annotated[
        str | None,
        typer.Option("--evalset", metavar="NAME|FILE", help="A name or file; default: the evalset of the runs."),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="dev, holdout or all: of the items that all runs answered.")
    ] = "all",
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="SCORER", help="Like answer, numeric or math (docs/evaluation.md); default: the scorer of the runs."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the bootstrap intervals.")] = 0,
    items: Annotated[int, typer.Option(metavar="N", min=0, help="Changed items to list; JSON and HTML list all.")] = 20,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the comparison here, as one self-contained page.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the comparison here, as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare runs item by item with the first run: items fixed, items broken, and p-values."""
    from eval.compare_page import comparison_page
    from eval.compare_predictions import compare_predictions
    from podium.runs import find_predictions

    sources = [find_predictions(name, evalset, scorer) for name in runs]
    comparison, warnings = compare_predictions(sources, split, seed)
    if html:
        write_text(html, comparison_page(comparison))
    if out:
        write_json(out, comparison.model_dump(mode="json"))
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    if as_json:
        typer.echo(comparison.model_dump_json(indent=2))
        return
    _show(comparison, items)
    for path in filter(None, (html, out)):
        typer.echo(f"written to {path}")


def _show(comparison: Comparison, n_items: int) -> None:
    from podium.cli.terminal import console

    out = console()
    typer.echo(f"evalset  {comparison.evalset} ({comparison.part}): {counted(comparison.n_items, 'item')}")
    typer.echo(f"scorer   {comparison.scorer} version {comparison.scorer_version}")
    out.print(_runs_table(comparison))
    for pairing in comparison.pairings:
        typer.echo(f"\n{pairing.other} against {pairing.base}")
        out.print(_pairing_table(pairing))
    if n_items and (table := _items_table(comparison, n_items)):
        typer.echo()
        out.print(table)


def _runs_table(comparison: Comparison) -> Table:
    from rich.table import Table

    from eval.compare_page import interval_text
    from eval.scorecard import floored

    table = Table("run", box=None, pad_edge=False)
    for heading in ("score", "95% interval", *comparison.runs[0].metrics, "missing"):
        table.add_column(heading, justify="right")
    for run in comparison.runs:
        metrics = (floored(metric.value) for metric in run.metrics.values())
        table.add_row(
            run.label, floored(run.answer_correctness), interval_text(run.interval), *metrics, str(run.n_missing)
        )
    return table


def _pairing_table(pairing: Pairing) -> Table:
    from rich.table import Table

    from eval.compare_page import groups, interval_text, p_text
    from eval.scorecard import floored

    table = Table(box=None, pad_edge=False, collapse_padding=True)  # fits 80 columns
    table.add_column("group", no_wrap=True, min_width=12)
    for heading in ("items", "fixed", "broken", "both\nwrong", "points"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("95% interval", justify="right", min_width=9)  # it may take two lines
    table.add_column("p", justify="right", no_wrap=True)
    before = ""
    for kind, name, found in groups(pairing):
        if kind != before:
            table.add_row(kind)
        before = kind
        counts = (found.n_items, found.fixed, found.broken, found.both_wrong)
        change = floored(found.points), interval_text(found.interval)
        table.add_row(f"  {name}" if kind else name, *map(str, counts), *change, p_text(found.p_value))
    return table


def _items_table(comparison: Comparison, n_items: int) -> Table | None:
    """The items that changed, fixed ones first; None if no item changed."""
    from rich.table import Table
    from rich.text import Text

    changed = [item for item in comparison.items if {"fixed", "broken"} & set(item.verdicts)]
    changed.sort(key=lambda item: "fixed" not in item.verdicts)
    if not changed:
        return None
    title = f"{min(n_items, len(changed))} of {counted(len(changed), 'changed item')}"
    table = Table("item", "expected", box=None, pad_edge=False, title=title, title_justify="left")
    for run in comparison.runs:
        table.add_column(run.label)
    for item in changed[:n_items]:
        said = [_cut(outcome.extracted or "-") for outcome in item.outcomes]
        cells = [said[0], *(f"{text}  {verdict}" for text, verdict in zip(said[1:], item.verdicts, strict=True))]
        table.add_row(*map(Text, (item.id, _cut(item.expected), *cells)))
    return table


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
