"""`podium ui`."""

from typing import Annotated

import typer

from podium.cli.interrupts import catch_interrupts


def ui(
    port: Annotated[int, typer.Option(metavar="PORT", min=1, max=65535, help="The port on 127.0.0.1.")] = 5000,
) -> None:
    """Serve MLflow's pages, to compare trials; Ctrl-C stops the server. Takes the next port if one is taken."""
    from tuning.tracking import log_missing
    from tuning.tracking.server import check_can_serve, free_port, newest_trials, serve

    def say(url: str) -> None:
        typer.echo(f"studies, trials and submissions: {url} (Ctrl-C stops it)")
        for problem in log_missing():
            typer.echo(f"warning: {problem}", err=True)
        if newest := newest_trials(free):
            typer.echo(f"the trials of {newest[0]}: {newest[1]}")

    check_can_serve()
    free = free_port(port)
    if free != port:
        typer.echo(f"port {port} is taken; using {free}")
    typer.echo("starting MLflow's server (about 10 seconds) ...")
    # A KeyboardInterrupt could be lost: Python drops one that is raised while it frees an object.
    with catch_interrupts() as interrupts:
        serve(free, on_ready=say, stop=interrupts.requested)
    raise typer.Exit(interrupts.exit_code)
