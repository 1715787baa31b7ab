"""`podium report`."""

from pathlib import Path
from typing import Annotated

import typer

from podium.cli.completion import studies
from podium.core.paths import from_here
from podium.core.progress import doing


def report(
    name: Annotated[
        str, typer.Argument(metavar="STUDY|NAME", autocompletion=studies, help="A study, or one of its submissions.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="File to write; default: report.html in the study's folder."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
) -> None:
    """Write a report of a study: one page with what won, why, and what to do now; it needs no network."""
    from podium.core.files import write_text
    from podium.report.facts import collect
    from podium.report.page import report_page

    with doing("writing the report"):
        found = collect(name)
        path = out or found.study.dir / "report.html"
        write_text(path, report_page(found))
    typer.echo(f"report: {from_here(path)}")
    if show:
        import webbrowser

        if not webbrowser.open(path.resolve().as_uri()):
            typer.echo("there is no browser here; open the file elsewhere")
