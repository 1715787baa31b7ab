"""`podium trainset`: build and import trainsets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podium.cli.reading import (
    PromptField,
    ResponseField,
    Revision,
    SkipBad,
    SourceName,
    Split,
    fields_of,
    show_skipped,
    source_of,
)
from podium.cli.tasks import ClauseGroup
from podium.cli.tokens import tokens
from podium.core.paths import check_name, home, portable
from podium.core.wording import counted

if TYPE_CHECKING:
    from podium.core.records import TrainsetManifest

SHOWN = 20  # categories

app = typer.Typer(cls=ClauseGroup, help="Build and import trainsets.")


@app.command("build")
def build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A recipe, such as tiny-reasoning.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder to write; default: trainsets/NAME.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same bytes.")] = 42,
) -> None:
    """Build a trainset from a recipe and a seed."""
    from trainer.data.trainsets import build_trainset

    folder = out or home() / "trainsets" / name
    _show(build_trainset(name, folder, seed), folder)


@app.command("import")
def import_(
    file: SourceName,
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the trainset.")],
    format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="auto, messages, sharegpt, traces, alpaca, prompt-response, prompt-completion, gsm8k, "
            "question-answer or mawps; docs/data.md shows each.",
        ),
    ] = "auto",
    prompt_field: PromptField = "",
    response_field: ResponseField = None,
    split: Split = None,
    revision: Revision = None,
    holdout: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="Set N prompts, or a share such as 0.1, aside as the evalset NAME; near-duplicates stay together.",
        ),
    ] = None,
    skip_bad: SkipBad = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite a trainset (and evalset) of this name.")
    ] = False,
) -> None:
    """Import a file as a trainset. A malformed row is reported, and nothing is written, without --skip-bad."""
    from podium.core.bad_rows import BadRows
    from podium.core.formats import choose_format
    from trainer.data.importers import import_examples
    from trainer.data.trainsets import check_name as check_trainset
    from trainer.data.trainsets import import_trainset

    folder = home() / "trainsets" / check_name(name, "trainset")
    check_trainset(name, folder, replace)
    rows = source_of(file, split, revision).rows()
    chosen, rows = choose_format(rows, format, fields_of(prompt_field), response_field)
    bad = BadRows(skip_bad)
    if holdout is None:
        examples, write_held_out = import_examples(rows, chosen, bad), None
    else:
        from podium.held_out import held_out

        path = home() / "evalsets" / f"{name}.jsonl"
        examples, write_held_out = held_out(list(rows), chosen, path, holdout, bad, replace)
    manifest = import_trainset(examples, chosen.name, folder, name=name, replace=replace)
    typer.echo(f"format       {chosen.name}")
    show_skipped(bad)
    _show(manifest, folder)
    if write_held_out:
        evalset = write_held_out()
        n_prompts = counted(len(evalset.samples), "prompt")
        typer.echo(f"held out     {n_prompts} as evalset {evalset.name} ({portable(evalset.path)})")


@app.command("from-predictions")
def from_predictions(
    predictions: Annotated[
        str, typer.Argument(metavar="PREDICTIONS", help="A predictions file, a run folder, STUDY/N or a submission.")
    ],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the trainset.")],
    evalset: Annotated[
        str | None,
        typer.Option("--evalset", metavar="NAME|FILE", help="A name or file; default: the evalset of the run."),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="SCORER", help="Like answer, numeric or math (docs/evaluation.md); default: the scorer of the run."
        ),
    ] = None,
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
    largest = sorted(manifest.composition.items(), key=lambda part: -part[1])[:SHOWN]
    parts = ", ".join(f"{name} {count}" for name, count in sorted(largest))
    if len(manifest.composition) > SHOWN:
        parts += f", and {len(manifest.composition) - SHOWN} smaller categories"
    typer.echo(f"trainset     {manifest.name} ({manifest.recipe} version {manifest.recipe_version})")
    typer.echo(f"traces       {manifest.count}: {parts}")
    typer.echo(f"sha256       {manifest.sha256}")
    typer.echo(f"written to   {portable(folder)}")
