"""`podium submit`."""

from pathlib import Path
from typing import Annotated

import typer

from podium.core.errors import PodiumError
from podium.core.paths import submission_dir
from podium.core.redaction import redact


def submit(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The NAME of `podium promote --as NAME`.")],
) -> None:
    """Run a lock once: verify, claim, train, predict, score and write the evidence."""
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
    """Log the run to MLflow if it is installed. The run is over, so an error here is a warning, not a failure."""
    try:
        from tuning.tracking import log_submission

        typer.echo(f"MLflow: run {log_submission(run_dir)}")
    except (ImportError, PodiumError) as error:
        if isinstance(error, ImportError) or isinstance(error.__cause__, ImportError):
            typer.echo("MLflow: not installed, so this run was not logged")
        else:
            typer.echo(f"warning: {redact(str(error))}", err=True)
