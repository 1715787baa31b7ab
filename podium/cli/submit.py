"""`podium submit`."""

from pathlib import Path
from typing import Annotated

import typer

from podium.core.errors import PodiumError
from podium.core.paths import submission_dir
from podium.core.redaction import redact


def submit(name: Annotated[str, typer.Argument(metavar="NAME", help="What was promoted with --as NAME.")]) -> None:
    """Run a lock, once: verify, claim, train, predict, score, write the evidence."""
    from podium.submission.run_once import RunEnded
    from podium.submission.run_once import submit as run_lock

    try:
        manifest = run_lock(name)
    except RunEnded:
        _mirror(submission_dir(name))
        raise
    _mirror(submission_dir(name))
    typer.echo(f"evidence: {submission_dir(name)}")
    typer.echo(f"next: podium package {manifest.name}")


def _mirror(run_dir: Path) -> None:
    """Show the run in MLflow where there is one. The run is over: what goes wrong here is a line, not a failure."""
    try:
        from tuning.tracking import mirror

        typer.echo(f"MLflow: run {mirror(run_dir)}")
    except (ImportError, PodiumError) as error:
        if isinstance(error, ImportError) or isinstance(error.__cause__, ImportError):
            typer.echo("MLflow: not installed here, so it does not show this run")
        else:
            typer.echo(f"warning: {redact(str(error))}", err=True)
