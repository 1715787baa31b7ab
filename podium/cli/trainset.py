"""`podium trainset`: build and import trainsets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podium.cli.tokens import tokens
from podium.core.paths import check_name, home, portable

if TYPE_CHECKING:
    from podium.core.records import TrainsetManifest

app = typer.Typer(help="Build and import trainsets.", no_args_is_help=True)


@app.command("build")
def build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A recipe, such as tiny-reasoning.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder to write; default: trainsets/NAME.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 42,
) -> None:
    """Build a trainset from a recipe and a seed."""
    from trainer.data.trainsets import build_trainset

    folder = out or home() / "trainsets" / name
    _show(build_trainset(name, folder, seed), folder)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the trainset.")],
    layout: Annotated[str, typer.Option("--format", help="gsm8k, prompt-response, messages or traces.")],
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a trainset of this name.")] = False,
) -> None:
    """Import a JSONL file as a trainset. A malformed line is reported, and nothing is written."""
    from trainer.data.trainsets import import_trainset

    folder = home() / "trainsets" / check_name(name, "trainset")
    _show(import_trainset(file, layout, folder, name=name, replace=replace), folder)


@app.command("from-predictions")
def from_predictions(
    predictions: Annotated[
        str, typer.Argument(metavar="PREDICTIONS", help="A predictions file, a run folder, STUDY/N or a submission.")
    ],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the trainset.")],
    evalset: Annotated[
        str | None, typer.Option("--evalset", help="A name or file; default: the evalset of the run.")
    ] = None,
    scorer: Annotated[str | None, typer.Option(help="See docs/evaluation.md; default: the scorer of the run.")] = None,
    per_item: Annotated[int | None, typer.Option(metavar="N", min=1, help="Keep at most N per item.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a trainset of this name.")] = False,
) -> None:
    """Make a trainset from correct predictions; for ARC tasks, from their programs."""
    from eval.distillation import correct_predictions
    from eval.scorers import get_scorer
    from eval.sets.predictions import read_predictions
    from podium.runs import find_predictions
    from trainer.data.from_predictions import RightAnswer, trainset_from

    folder = home() / "trainsets" / check_name(name, "trainset")
    source = find_predictions(predictions, evalset, scorer)
    found = correct_predictions(
        source.samples, read_predictions(source.path).predictions, get_scorer(source.scorer), per_item
    )
    answers = [
        RightAnswer(
            prompt=right.sample.prompt,
            text=right.text,
            program=right.program,
            messages=right.sample.messages,
            tools=right.sample.tools,
            meta={"category": right.sample.category, "item": right.sample.id, **right.score.metrics},
        )
        for right in found
    ]
    _show(trainset_from(answers, folder, name=name, source=source.scorer, replace=replace), folder)
    n_items = len({correct.sample.id for correct in found})
    typer.echo(f"items        {n_items} of {len(source.samples)} have a correct prediction")
    typer.echo(
        f"note: its prompts are those of evalset {source.evalset.name}; score models trained on it with another evalset"
    )


app.command("tokens")(tokens)


def _show(manifest: TrainsetManifest, folder: Path) -> None:
    parts = ", ".join(f"{name} {count}" for name, count in manifest.composition.items())
    typer.echo(f"trainset     {manifest.name} ({manifest.recipe} version {manifest.recipe_version})")
    typer.echo(f"traces       {manifest.count}: {parts}")
    typer.echo(f"sha256       {manifest.sha256}")
    typer.echo(f"written to   {portable(folder)}")
