"""`podium trainset tokens`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from podium.cli.completion import trainsets
from podium.core.paths import find_file, find_trainset


def tokens(
    name: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=trainsets, help="A name in trainsets/, or a folder.")
    ],
    config: Annotated[str, typer.Option("--config", metavar="CONFIG.yaml", help="Config of the run to prepare.")],
    line: Annotated[int, typer.Option(metavar="N", min=1, help="The example in line N of traces.jsonl.")] = 1,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a config key. May be repeated.")
    ] = None,
) -> None:
    """Show an example of a trainset token by token, as a run of CONFIG reads it, with what is learned of it."""
    from podium.core.config import load_config, parse_assignment
    from trainer.data.shown import show_example
    from trainer.data.tokenizer import Tokenizer
    from trainer.model.sources import find_files

    run_config = load_config(find_file(config), dict(parse_assignment(text) for text in assignments or ()))
    folder = find_trainset(name)
    tokenizer = Tokenizer(find_files(run_config.model)[1])
    for text in show_example(Path(folder), line, tokenizer, run_config.data):
        typer.echo(text)
