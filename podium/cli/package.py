"""`podium package`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from podium.cli.completion import submissions
from podium.cli.run_dir import RunDir, submission_at
from podium.core.paths import from_here


def package(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", autocompletion=submissions, help="Name of a complete submission.")
    ] = None,
    sign: Annotated[
        Path | None, typer.Option("--sign", metavar="KEY", help="Sign with this SSH key (`ssh-keygen -Y sign`).")
    ] = None,
    run_dir: RunDir = None,
) -> None:
    """Zip a submission with its data and code; the same run gives the same bytes."""
    from podium.submission.packaging.package import package as make_package

    with submission_at(name, run_dir) as submission:
        made = make_package(submission, sign)
    path = from_here(made.path)
    typer.echo(f"package: {path}")
    typer.echo(f"sha256: {made.sha256}")
    typer.echo(f"files: {len(made.files)}")
    typer.echo(f"size: {made.size:,} bytes")
    typer.echo(f"next: podium verify {shlex.quote(path)}")
