"""`podium watch`."""

from typing import Annotated

import typer

from podium.cli.interrupts import Interrupts


def watch(study: Annotated[str, typer.Argument(metavar="STUDY")]) -> None:
    """Watch a sweep that another terminal runs, until it ends; Ctrl-C ends the watching only."""
    from podium.cli.sweep_display import display
    from tuning.overview import follow
    from tuning.study import load_study

    total = load_study(study).space.trials
    with display(total, None, Interrupts()) as show:
        for event in follow(study):
            show(event)
    typer.echo(f"no sweep runs {study} now; podium show {study} sums it up")
