"""`podium ui`."""

import signal
import sys
from typing import Annotated

import typer


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 5000,
) -> None:
    """Open MLflow's pages on this workspace's studies, for comparing trials; Ctrl-C ends it."""
    from tuning.tracking.server import newest_trials, serve

    def say(url: str) -> None:
        typer.echo(f"studies, trials and submissions: {url} (Ctrl-C ends it)")
        if newest := newest_trials(port):
            typer.echo(f"the trials of {newest[0]}: {newest[1]}")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server ends with us
    typer.echo("starting MLflow's server (about 10 seconds) ...")
    serve(port, on_ready=say)
