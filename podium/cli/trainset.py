"""`podium trainset`."""

import typer

app = typer.Typer(help="Being written.", no_args_is_help=True)


@app.callback()
def callback() -> None:
    pass
