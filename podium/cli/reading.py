"""The options with which `podium trainset import` and `podium evalset import` read a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podium.core.wording import counted

if TYPE_CHECKING:
    from podium.core.bad_rows import BadRows
    from podium.core.sources import Source

SourceName = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A JSONL, JSON, CSV, Parquet or Arrow file, also with .gz; a folder; or hf:OWNER/NAME[/PATH].",
    ),
]
PromptField = Annotated[
    str, typer.Option(metavar="NAME", help="The field with the prompt; several, as in body,question, are joined.")
]
ResponseField = Annotated[str | None, typer.Option(metavar="NAME", help="The field with the response.")]
Split = Annotated[str | None, typer.Option(metavar="NAME", help="Of a folder or a hub set; default: train.")]
Revision = Annotated[str | None, typer.Option(metavar="REV", help="Branch, tag or commit of a hub set.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out malformed rows, and say how many.")]


def source_of(name: str, split: str | None, revision: str | None) -> Source:
    from podium.core.sources import Source

    return Source(name, split, revision)


def fields_of(prompt_field: str) -> tuple[str, ...]:
    """The names in `body,question`."""
    return tuple(name.strip() for name in prompt_field.split(",") if name.strip())


def show_skipped(bad: BadRows) -> None:
    if bad.numbers:
        typer.echo(f"skipped      {counted(len(bad.numbers), 'bad row')}; the first: {bad.first}")
