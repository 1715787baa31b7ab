"""`podium studies`."""

from typing import Annotated

import typer

from podium.cli.tables import print_json, print_table


def studies(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the studies of this workspace."""
    from eval.scorecard import metric_text
    from tuning.study.overview import all_studies

    rows = all_studies()
    if as_json:
        print_json(rows)
        return
    if not rows:
        typer.echo("no studies yet; `podium sweep SPACE.yaml` creates one")
        return
    readable = [row for row in rows if "states" in row]
    if readable:
        print_table(
            ("study", "trials", "states", "best", "metric"),
            [
                (
                    row["study"] + (" (running)" if row["running"] else ""),
                    row["trials"],
                    ", ".join(f"{count} {state}" for state, count in sorted(row["states"].items())),
                    "-"
                    if row["best_trial"] is None
                    else f"{metric_text(row['metric'], row['best_value'])} (trial {row['best_trial']})",
                    row["metric"],
                )
                for row in readable
            ],
        )
    for row in rows:
        if "damage" in row:
            typer.echo(f"{row['study']} is damaged: {row['damage']}")
