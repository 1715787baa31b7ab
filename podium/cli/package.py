"""`podium package`."""

from typing import Annotated

import typer


def package(name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a complete submission.")]) -> None:
    """Zip the evidence of a submission; the same evidence gives the same bytes."""
    from podium.submission.package import package as make_package

    made = make_package(name)
    typer.echo(f"package: {made.path}")
    typer.echo(f"sha256: {made.sha256}")
    typer.echo(f"files: {len(made.files)} ({', '.join(made.files)})")
    typer.echo(f"size: {made.size:,} bytes")
