"""`podium watch`."""

import json
from typing import Annotated

import typer

from podium.cli.completion import studies
from podium.cli.interrupts import Interrupts


def watch(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", autocompletion=studies, help="A study that `podium sweep` made.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per event.")] = False,
) -> None:
    """Watch a sweep that runs in another terminal until it ends; Ctrl-C stops watching, not the sweep."""
    from podium.cli.sweep_display import display
    from tuning.study.overview import follow
    from tuning.study.study import load_study
    from tuning.study.trial import trial_as_dict

    known = load_study(study)
    if as_json:
        for event in follow(study):
            typer.echo(json.dumps({"event": event.kind, **trial_as_dict(event.trial)}))
        return
    total = max(known.limit or known.space.trials, len(known.trials))
    with display(total, None, Interrupts()) as show:
        for event in follow(study):
            show(event)
    typer.echo(f"no sweep runs {study} now")
    typer.echo(f"next: podium show {study}")
