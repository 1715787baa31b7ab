"""`podium submit`."""

from pathlib import Path
from typing import Annotated

import typer

from podium.core.paths import submission_dir


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
    """Show the run in MLflow where there is one. The run is over: whatever goes wrong here is a line, no failure."""
    try:
        from tuning.tracking import mirror

        mirror(run_dir)
    except ImportError:
        typer.echo("MLflow: not installed here, so this run is not shown in it")
    except Exception as error:  # noqa: BLE001
        typer.echo(f"warning: MLflow did not take this run ({type(error).__name__}: {error})", err=True)
