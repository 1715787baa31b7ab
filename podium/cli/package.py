"""`podium package`."""

from typing import Annotated

import typer


def package(name: Annotated[str, typer.Argument(metavar="NAME", help="A submission that was run.")]) -> None:
    """Zip a submission's evidence; the same evidence gives the same bytes."""
    from podium.submission.package import package as make_package

    made = make_package(name)
    typer.echo(f"package: {made.path}")
    typer.echo(f"sha256: {made.sha256}")
    typer.echo(f"files: {len(made.files)} ({', '.join(made.files)})")
    typer.echo(f"size: {made.size:,} bytes")
