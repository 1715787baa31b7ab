"""`podium importance`."""

from typing import Annotated

import typer

from podium.cli.tables import print_json, print_table


def importance(
    study: Annotated[str, typer.Argument(metavar="STUDY")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say which parameters the score depended on: shares of its variation over the complete trials (fANOVA)."""
    from tuning.overview import importance as shares

    found = shares(study)
    if as_json:
        print_json(found)
    else:
        print_table(("parameter", "share"), [(key, f"{share:.3f}") for key, share in found.items()])
