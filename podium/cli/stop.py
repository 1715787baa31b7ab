"""`podium stop`."""

from typing import Annotated

import typer

from podium.cli.completion import studies


def stop(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", autocompletion=studies, help="A study that `podium sweep` made.")
    ],
) -> None:
    """Stop a sweep that runs in another terminal: its trials end at their next step, with a checkpoint."""
    from tuning.study.overview import stop as ask

    driver = ask(study)
    typer.echo(f"asked process {driver} to stop study {study}; resume it later with: podium sweep --resume {study}")
