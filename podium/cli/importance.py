"""`podium importance`."""

from typing import Annotated

import typer

from podium.cli.completion import studies
from podium.cli.tables import print_json, print_table


def importance(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", autocompletion=studies, help="A study that `podium sweep` made.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show which parameters matter: the share of the score's variation that each explains (fANOVA).

    With several objectives, there is one column for each.
    """
    from tuning.study.overview import importance as shares

    found = shares(study)
    if as_json:
        print_json(found if len(found) > 1 else next(iter(found.values())))
    elif len(found) == 1:
        (only,) = found.values()
        print_table(("parameter", "share"), [(key, f"{share:.3f}") for key, share in only.items()])
    else:
        first = next(iter(found.values()))
        rows = [(key, *(f"{shares[key]:.3f}" for shares in found.values())) for key in first]
        print_table(("parameter", *found), rows)
