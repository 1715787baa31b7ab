"""`podium submit`."""

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer

from podium.core.errors import PodiumError, UsageError
from podium.core.paths import submission_dir
from podium.core.redaction import redact
from podium.core.run_files import MANIFEST


def submit(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The NAME of `podium promote --as NAME`.")],
) -> None:
    """Run a lock once: verify, claim, train, predict, score and write the evidence."""
    from podium.submission.run_once import RunEnded
    from podium.submission.run_once import submit as run_lock

    try:
        manifest = run_lock(name)
    except RunEnded:
        _mirror(name)
        raise
    except UsageError:
        if (submission_dir(name) / MANIFEST).is_file():
            _log_missing(name)
        raise
    _mirror(name)
    typer.echo(f"evidence: {submission_dir(name)}")
    typer.echo(f"next: podium package {manifest.name}")


def _mirror(name: str) -> None:
    """Log the run to MLflow if it is installed."""
    with _errors_as_warnings(name):
        from tuning.tracking import log_submission

        typer.echo(f"MLflow: run {log_submission(submission_dir(name))}")


def _log_missing(name: str) -> None:
    """Log a run that ended before, if its process was killed or MLflow failed before that was done."""
    with _errors_as_warnings(name):
        from tuning.tracking import log_missing

        for problem in log_missing(name):
            raise PodiumError(problem)


@contextlib.contextmanager
def _errors_as_warnings(name: str) -> Iterator[None]:
    """The run is over, so an error of MLflow is a warning, not a failure."""
    try:
        yield
    except (ImportError, PodiumError) as error:
        if isinstance(error, ImportError) or isinstance(error.__cause__, ImportError):
            typer.echo("MLflow: not installed, so this run was not logged")
        else:
            typer.echo(f"warning: {redact(str(error))}; `podium submit {name}` logs it later", err=True)
