"""`podium compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podium.cli.run_files import PredictionSource, find_source
from podium.core.errors import UsageError
from podium.core.files import read_json, write_json, write_text

if TYPE_CHECKING:
    from rich.table import Table

    from eval.compare import Comparison, Entry, Pairing
    from podium.core.records import Sample

WIDTH = 28  # of an extracted answer in the table


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="A B [C ...]", help="STUDY/N, a submission, a run directory or predictions.")
    ],
    evalset: Annotated[
        str | None, typer.Option("--evalset", help="A name or file; that of the runs when not given.")
    ] = None,
    split: Annotated[str, typer.Option(help="dev, holdout or all, as far as every run answered it.")] = "all",
    scorer: Annotated[str | None, typer.Option(help="That of the runs when not given.")] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap intervals.")] = 0,
    items: Annotated[int, typer.Option(metavar="N", min=0, help="Changed items to list; JSON and HTML have all.")] = 20,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page here that needs nothing else.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the comparison here, as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON and nothing else.")] = False,
) -> None:
    """Compare runs item by item with the first: what was fixed, what was broken, and whether that is chance."""
    from eval.compare import compare as compare_entries
    from eval.compare_page import comparison_page

    sources = [find_source(name, evalset, scorer) for name in runs]
    samples = _common_samples(sources, split)
    entries = [_entry(source, samples, _common_scorer(sources), seed) for source in sources]
    comparison = compare_entries(sources[0].evalset, samples, entries, seed)
    if html:
        write_text(html, comparison_page(comparison))
    if out:
        write_json(out, comparison.model_dump(mode="json"))
    for source, entry in zip(sources, entries, strict=True):
        _warn(source, entry)
    if as_json:
        typer.echo(comparison.model_dump_json(indent=2))
        return
    _show(comparison, items)
    for path in filter(None, (html, out)):
        typer.echo(f"written to {path}")


def _common_samples(sources: list[PredictionSource], split: str) -> list[Sample]:
    """The samples of `split` that every run had to answer, in the evalset's order."""
    from eval.sets.evalset import check_split, split_of_sample

    wanted = check_split(split)
    first = sources[0]
    for source in sources[1:]:
        if source.evalset.sha256 != first.evalset.sha256:
            raise UsageError(
                f"{first.label} is on {first.evalset.name} ({first.evalset.sha256[:12]}), {source.label} on "
                f"{source.evalset.name} ({source.evalset.sha256[:12]}); compare runs on one version of one evalset"
            )
    ids = set.intersection(*({sample.id for sample in source.samples} for source in sources))
    samples = [s for s in first.evalset.samples if s.id in ids and wanted in ("all", split_of_sample(s))]
    if not samples:
        raise UsageError(f"no item of split {split} was answered by all of {', '.join(s.label for s in sources)}")
    return samples


def _common_scorer(sources: list[PredictionSource]) -> str:
    first = sources[0]
    for source in sources[1:]:
        if source.scorer != first.scorer:
            raise UsageError(
                f"{first.label} is scored by {first.scorer}, {source.label} by {source.scorer}; give one with --scorer"
            )
    return first.scorer


def _entry(source: PredictionSource, samples: list[Sample], scorer: str, seed: int) -> Entry:
    """The run's predictions, scored here and now: scores of different versions never meet."""
    from eval.compare import Entry
    from eval.scorecard import score_predictions
    from eval.sets.predictions import read_predictions

    file = read_predictions(source.path)
    elsewhere = {sample.id for sample in source.evalset.samples} - {sample.id for sample in samples}
    predictions = [prediction for prediction in file.predictions if prediction.id not in elsewhere]
    texts: dict[str, str] = {}
    for prediction in predictions:
        before = texts.get(prediction.id)
        texts[prediction.id] = prediction.text if before is None else f"{before}\n---\n{prediction.text}"
    card = score_predictions(samples, predictions, scorer, seed, malformed=file.malformed)
    return Entry(source.label, card, texts)


def _warn(source: PredictionSource, entry: Entry) -> None:
    """Whatever a reader of the figures has to know, beside what is printed for machines."""
    notes = [source.note] if source.note else []
    card, stored = entry.card, source.path.with_name("scorecard.json")
    if card.n_missing or card.n_skipped:
        notes.append(f"{source.label}: {card.n_missing} items without prediction, {card.n_skipped} lines not used")
    if source.path.name == "predictions.jsonl" and stored.is_file():
        values = read_json(stored)
        was = (values.get("scorer"), values.get("scorer_version")) if isinstance(values, dict) else (None, None)
        if was != (card.scorer, card.scorer_version):
            notes.append(
                f"{source.label}: its scorecard.json is by {was[0]} version {was[1]}; here everything is scored by "
                f"{card.scorer} version {card.scorer_version}, and the two do not compare"
            )
    for note in notes:
        typer.echo(f"warning: {note}", err=True)


def _show(comparison: Comparison, n_items: int) -> None:
    from rich.console import Console

    console = Console()
    typer.echo(f"evalset  {comparison.evalset} ({comparison.part}): {comparison.n_items} items")
    typer.echo(f"scorer   {comparison.scorer} version {comparison.scorer_version}")
    console.print(_runs_table(comparison))
    for pairing in comparison.pairings:
        typer.echo(f"{pairing.other} against {pairing.base}")
        console.print(_pairing_table(pairing))
    if n_items and (table := _items_table(comparison, n_items)):
        console.print(table)


def _runs_table(comparison: Comparison) -> Table:
    from rich.table import Table

    from eval.compare_page import interval_text
    from eval.scorecard import floored

    table = Table("run", box=None, pad_edge=False)
    for heading in ("score", "95% interval", *comparison.runs[0].metrics, "missing"):
        table.add_column(heading, justify="right")
    for run in comparison.runs:
        metrics = (floored(metric.value) for metric in run.metrics.values())
        table.add_row(
            run.label, floored(run.answer_correctness), interval_text(run.interval), *metrics, str(run.n_missing)
        )
    return table


def _pairing_table(pairing: Pairing) -> Table:
    from rich.table import Table

    from eval.compare_page import groups, interval_text, p_text
    from eval.scorecard import floored

    table = Table("group", box=None, pad_edge=False)
    for heading in ("items", "fixed", "broken", "both\nwrong", "difference (95%)", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    before = ""
    for kind, name, found in groups(pairing):
        if kind != before:
            table.add_row(kind)
        before = kind
        counts = (found.n_items, found.fixed, found.broken, found.both_wrong)
        change = f"{floored(found.points)} ({interval_text(found.interval)})"
        table.add_row(f"  {name}" if kind else name, *map(str, counts), change, p_text(found.p_value))
    return table


def _items_table(comparison: Comparison, n_items: int) -> Table | None:
    """The items that changed, fixed ones first."""
    from rich.table import Table
    from rich.text import Text

    changed = [item for item in comparison.items if {"fixed", "broken"} & set(item.verdicts)]
    changed.sort(key=lambda item: "fixed" not in item.verdicts)
    if not changed:
        return None
    title = f"{min(n_items, len(changed))} of {len(changed)} changed items"
    table = Table("item", "expected", box=None, pad_edge=False, title=title, title_justify="left")
    for run in comparison.runs:
        table.add_column(run.label)
    for item in changed[:n_items]:
        said = [_cut(outcome.extracted or "-") for outcome in item.outcomes]
        cells = [said[0], *(f"{text}  {verdict}" for text, verdict in zip(said[1:], item.verdicts, strict=True))]
        table.add_row(*map(Text, (item.id, _cut(item.expected), *cells)))
    return table


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
