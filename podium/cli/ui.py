"""`podium ui`."""

import signal
import sys
from typing import Annotated

import typer


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port on 127.0.0.1.")] = 5000,
) -> None:
    """Serve MLflow's pages, to compare trials; Ctrl-C stops the server."""
    from tuning.tracking import log_missing
    from tuning.tracking.server import newest_trials, serve

    def say(url: str) -> None:
        typer.echo(f"studies, trials and submissions: {url} (Ctrl-C stops it)")
        for problem in log_missing():
            typer.echo(f"warning: {problem}", err=True)
        if newest := newest_trials(port):
            typer.echo(f"the trials of {newest[0]}: {newest[1]}")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # serve() then ends the server, too
    typer.echo("starting MLflow's server (about 10 seconds) ...")
    serve(port, on_ready=say)
