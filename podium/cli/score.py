"""`podium score`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podium.core.errors import PodiumError
from podium.core.files import write_json
from podium.core.wording import counted, named

if TYPE_CHECKING:
    from rich.table import Table

    from eval.scorecard import Scorecard


def score(
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS.jsonl", help="Output of `podium predict`.")],
    evalset: Annotated[str, typer.Option("--evalset", metavar="NAME|FILE", help="A name in evalsets/, or a file.")],
    split: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="dev, holdout or all; default: the split of the predictions.")
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="SCORER",
            help="Like answer, numeric or math (docs/evaluation.md); default: the scorer of the evalset.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the bootstrap intervals.")] = 0,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the scorecard to this file, as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail unless there is exactly one readable prediction per item.")
    ] = False,
) -> None:
    """Score predictions against an evalset. A missing prediction counts as wrong."""
    from eval.scorecard import score_file
    from eval.sets.evalset import load_evalset

    card = score_file(predictions, load_evalset(evalset), split=split, scorer=scorer, seed=seed)
    if strict and (problems := _problems(card)):
        raise PodiumError(f"{predictions}: {problems}; --strict accepts exactly one readable prediction per item")
    if out:
        write_json(out, card.model_dump(mode="json"))
    if as_json:
        typer.echo(card.model_dump_json(indent=2))
        return
    _show(card)
    if out:
        typer.echo(f"written to {out}")


def _problems(card: Scorecard) -> str:
    missing = [score.id for score in card.scores if score.missing]
    unreadable = [
        f"{score.id}: {score.reason}" for score in card.scores if score.extracted is None and not score.missing
    ]
    found = (
        ("malformed", card.malformed),
        ("missing", missing),
        ("of unknown id", card.unknown_ids),
        ("repeated", card.duplicate_ids),
        ("unreadable", unreadable),
    )
    return "; ".join(f"{len(ids)} {what} ({named(ids)})" for what, ids in found if ids)


def _show(card: Scorecard) -> None:
    from eval.scorecard import floored
    from eval.sets.predictions import shown_reasons
    from podium.cli.terminal import console

    scored = card.evalset
    typer.echo(f"evalset             {f'{scored.name} ({scored.split})' if scored else 'given samples'}")
    typer.echo(f"scorer              {card.scorer} version {card.scorer_version}")
    low, high = card.interval
    typer.echo(f"answer_correctness  {floored(card.answer_correctness)}  (95% {floored(low)} to {floored(high)})")
    typer.echo(f"primary_score       {floored(card.primary_score, 4)}")
    for name, metric in card.metrics.items():
        low, high = metric.interval
        typer.echo(f"{name:<19} {floored(metric.value)}  (95% {floored(low)} to {floored(high)})")
    several = f", {counted(card.n_samples, 'prediction')} each" if card.n_samples > 1 else ""
    typer.echo(f"items               {card.n_items}: {card.n_scored} scored, {card.n_missing} missing{several}")
    if card.finish_reasons:
        typer.echo(f"ended by            {shown_reasons(card.finish_reasons)}")
    if problems := _problems(card):
        typer.echo(f"warning             {problems}")
    console().print(_table(card))


def _table(card: Scorecard) -> Table:
    from rich.table import Table

    from eval.scorecard import floored
    from eval.sets.groups import group_items

    table = Table(box=None, pad_edge=False)
    table.add_column("group")
    table.add_column("score", justify="right")
    table.add_column("items", justify="right")
    for kind, name, group in group_items(card):
        table.add_row(f"{kind} {name}", floored(group.answer_correctness), str(group.n_items))
    return table
