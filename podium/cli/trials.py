"""`podium trials`."""

from typing import Annotated

import typer

from podium.cli.completion import studies
from podium.cli.tables import print_json, print_table


def trials(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", autocompletion=studies, help="A study that `podium sweep` made.")
    ],
    sort: Annotated[
        str,
        typer.Option(metavar="KEY", help="Sort by number, value (best first), step, state, a config key or a metric."),
    ] = "number",
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Show only trials in this state, like complete.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List a study's trials."""
    from eval.scorecard import metric_text
    from podium.cli.sweep_display import newest_score, what
    from tuning.study.overview import select
    from tuning.study.study import load_study
    from tuning.study.trial import trial_as_dict

    chosen = select(load_study(study), sort, state)
    if as_json:
        print_json([trial_as_dict(trial) for trial in chosen])
    elif not chosen:
        typer.echo(f"study {study} has no trial{f' that is {state}' if state else ''}")
    else:
        others = [name for name, _ in chosen[0].space.aims[1:]]
        print_table(
            ("trial", "state", "step", "score", *others, "parameters"),
            [
                (
                    *(trial.number, trial.state, trial.step, newest_score(trial)),
                    *(metric_text(name, trial.metrics.get(name)) for name in others),
                    what(trial),
                )
                for trial in chosen
            ],
        )
