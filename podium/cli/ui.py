"""`podium ui`."""

import os
from typing import Annotated

import typer


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 5000,
) -> None:
    """Open MLflow's pages on this workspace's studies, for comparing trials; Ctrl-C ends it."""
    from tuning.tracking.server import server_command, url

    command, environment = server_command(port)
    typer.echo(f"studies, trials and submissions, in about 10 seconds: {url(port)}")
    typer.echo("Ctrl-C ends it")
    os.execvpe(command[0], command, environment)
