"""`podium ui`."""

import signal
import sys
from typing import Annotated

import typer


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 5000,
) -> None:
    """Open MLflow's pages on this workspace's studies, for comparing trials; Ctrl-C ends it."""
    from tuning.tracking.server import serve

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server ends with us
    typer.echo("starting MLflow's server (about 10 seconds) ...")
    serve(port, on_ready=lambda url: typer.echo(f"studies, trials and submissions: {url} (Ctrl-C ends it)"))
