"""`podium stop`."""

from typing import Annotated

import typer


def stop(study: Annotated[str, typer.Argument(metavar="STUDY")]) -> None:
    """Ask a sweep that another terminal runs to end: trials at their next step, with a checkpoint."""
    from tuning.study.overview import stop as ask

    driver = ask(study)
    typer.echo(f"asked process {driver} to stop study {study}; go on later with: podium sweep --resume {study}")
