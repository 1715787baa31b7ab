"""`podium evalset`: build, import and check evalsets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from podium.cli.tables import print_json
from podium.cli.tasks import ClauseGroup
from podium.core.errors import PodiumError
from podium.core.paths import check_name, find_trainset, home, portable
from podium.core.wording import named

if TYPE_CHECKING:
    from eval.sets.contamination import Contamination
    from eval.sets.evalset import Evalset

app = typer.Typer(cls=ClauseGroup, help="Build, import and check evalsets.")


@app.command("build")
def build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A recipe, such as tiny_v1.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write; default: evalsets/NAME.jsonl.")
    ] = None,
) -> None:
    """Build an evalset from a recipe of Podium; every build gives the same bytes."""
    from eval.sets.evalset import write_evalset
    from trainer.recipes import evalset_samples

    path = out or home() / "evalsets" / f"{name}.jsonl"
    _show(write_evalset(path, evalset_samples(name), replace=True))


@app.command("import")
def import_(
    file: SourceName,
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the evalset.")],
    format: Annotated[
        str,
        typer.Option(
            "--format", metavar="FORMAT", help="auto, multiple-choice, arc, or a format of `podium trainset import`."
        ),
    ] = "auto",
    prompt_field: PromptField = "",
    response_field: ResponseField = None,
    split: Split = None,
    revision: Revision = None,
    solutions: Annotated[Path | None, typer.Option(metavar="FILE", help="Solutions of the ARC challenges.")] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="SCORER",
            help="Its scorer, like answer, numeric or math (docs/evaluation.md); for ARC, arc_grid or arc_program.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Import the first N rows or tasks.")] = None,
    skip_bad: SkipBad = False,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite an evalset of this name.")] = False,
) -> None:
    """Import a file as an evalset. A malformed row is reported, and nothing is written, without --skip-bad."""
    from eval.sets.evalset import check_new, write_evalset
    from eval.sets.importers import import_set
    from podium.core.bad_rows import BadRows

    bad = BadRows(skip_bad)
    path = check_new(home() / "evalsets" / f"{check_name(name, 'evalset')}.jsonl", replace)
    found = import_set(
        source_of(file, split, revision),
        name,
        format,
        prompt_fields=fields_of(prompt_field),
        response_field=response_field,
        solutions=solutions,
        scorer=scorer,
        limit=limit,
        bad=bad,
    )
    evalset = write_evalset(path, found.samples, replace, found.scorer)
    typer.echo(f"format       {found.format}")
    show_skipped(bad)
    _show(evalset)


@app.command("check")
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A name in evalsets/, or a file.")],
    trainset: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A trainset that must share no prompt with it. May be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check format, answers, duplicates and overlap with trainsets. Exit code 1 if two prompts are equal."""
    from eval.scorers import get_scorer
    from eval.sets.contamination import contamination
    from eval.sets.evalset import check_items, duplicate_prompts, load_evalset

    folders = [find_trainset(name) for name in trainset or ()]
    evalset = load_evalset(file)
    check_items(evalset.samples, get_scorer(evalset.scorer))
    duplicates = duplicate_prompts(evalset)
    facts = [contamination(evalset, folder) for folder in folders]
    if as_json:
        print_json({**_counts(evalset), "duplicates": duplicates, "trainsets": [fact.model_dump() for fact in facts]})
    else:
        _show(evalset)
        typer.echo(f"duplicates   {len(duplicates)}")
        for fact in facts:
            _show_overlap(fact)
    if duplicates:
        pairs = named(f"{later} = {earlier}" for later, earlier in duplicates)
        raise PodiumError(f"{evalset.name}: items with the same prompt: {pairs}; remove one of each pair")
    for fact in facts:
        if fact.exact:
            raise PodiumError(
                f"{evalset.name}: prompts that are also in trainset {fact.trainset!r}: {named(fact.exact)}; "
                f"remove them from one of the two"
            )


def _show_overlap(fact: Contamination) -> None:
    from eval.scorecard import floored

    near = [f"{found.id} = line {found.line}, {floored(100 * found.shared, 0)}%" for found in fact.near]
    also = f": {named(near)}" if near else ""
    typer.echo(f"overlap      {len(fact.exact)} with trainset {fact.trainset}")
    typer.echo(f"near         {len(near)} with trainset {fact.trainset}{also}")


def _counts(evalset: Evalset) -> dict[str, Any]:
    from eval.sets.evalset import split_of_sample

    splits = Counter(split_of_sample(sample) for sample in evalset.samples)
    return {
        "evalset": evalset.name,
        "file": portable(evalset.path),
        "sha256": evalset.sha256,
        "scorer": evalset.scorer,
        "items": len(evalset.samples),
        "dev": splits["dev"],
        "holdout": splits["holdout"],
    }


def _show(evalset: Evalset) -> None:
    """Print the number of items by section and difficulty, and the sizes of the splits."""
    from rich.table import Table

    from podium.cli.terminal import console
    from podium.core.records import DIFFICULTIES

    cells: Counter[tuple[str, str]] = Counter((sample.section, sample.difficulty) for sample in evalset.samples)
    table = Table("section", box=None, pad_edge=False)
    for heading in (*DIFFICULTIES, "all"):
        table.add_column(heading, justify="right")
    for section in sorted({section for section, _ in cells}):
        counts = [cells[section, difficulty] for difficulty in DIFFICULTIES]
        table.add_row(section, *map(str, (*counts, sum(counts))))
    about = _counts(evalset)
    typer.echo(f"evalset      {about['evalset']} ({about['file']})")
    typer.echo(f"sha256       {about['sha256']}")
    typer.echo(f"scorer       {about['scorer']}")
    typer.echo(f"items        {about['items']}: dev {about['dev']}, holdout {about['holdout']}")
    console().print(table)
