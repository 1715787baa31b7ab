"""`podium leaderboard`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podium.core.errors import PodiumError
from podium.core.files import read_json
from podium.core.paths import home, portable

if TYPE_CHECKING:
    from eval.leaderboard import Board, Entry


def leaderboard(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR ...]", help="Further run directories with a scorecard.json.")
    ] = None,
    evalset: Annotated[
        str | None, typer.Option("--evalset", help="A name or file: only scores on this version of it.")
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Rows a table.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tables as JSON and nothing else.")] = False,
) -> None:
    """Rank complete trials and submissions, with intervals, by evalset version, split and scorer version."""
    from eval.leaderboard import boards, mixed_versions
    from eval.sets.evalset import load_evalset

    wanted = load_evalset(evalset) if evalset else None
    left_out: list[str] = []
    entries = [*_trials(left_out), *_submissions(left_out), *_given(runs or [])]
    if wanted:
        others = [entry for entry in entries if entry.standing.evalset.sha256 != wanted.sha256]
        entries = [entry for entry in entries if entry.standing.evalset.sha256 == wanted.sha256]
        older = sum(entry.standing.evalset.name == wanted.name for entry in others)
        left_out += [f"{older} scores on another version of {wanted.name}"] * bool(older)
    found = boards(entries)
    warnings = [*mixed_versions(found), *(f"left out: {what}" for what in left_out)]
    if as_json:
        from podium.core.files import to_json

        typer.echo(
            to_json({"boards": [board.model_dump(mode="json") for board in found], "warnings": warnings}), nl=False
        )
        return
    for board in found:
        _show(board, top)
    if not found:
        typer.echo("no scores yet; `podium sweep` and `podium submit` make some")
    for warning in warnings:
        typer.echo(f"warning: {warning}")


def _trials(left_out: list[str]) -> Iterator[Entry]:
    """Every complete trial; any other state has no score."""
    from podium.core.states import State
    from tuning.study.study import load_study, study_names

    for study in study_names():
        try:
            trials = load_study(study).trials
        except PodiumError as error:
            left_out.append(str(error))
            continue
        for trial in trials:
            if trial.state is State.COMPLETE:
                yield from _entry(f"{study}/{trial.number}", "trial", trial.dir / "scorecard.json", left_out)
        others = sum(trial.state is not State.COMPLETE for trial in trials)
        left_out += [f"{others} trials of {study} that are not complete"] * bool(others)


def _submissions(left_out: list[str]) -> Iterator[Entry]:
    """Every complete submission, on each of the splits that it was scored on."""
    from eval.leaderboard import Entry, read_standing

    for manifest in sorted((home() / "submission_runs").glob("*/run_manifest.json")):
        name, path = manifest.parent.name, manifest.with_name("eval_summary.json")
        try:
            state = read_json(manifest)["state"]
            if state != "complete":
                left_out.append(f"submission {name}, which is {state}")
                continue
            for split, values in read_json(path)["splits"].items():
                yield Entry(name, "submission", read_standing(values, f"{path}: {split}"))
        except PodiumError as error:
            left_out.append(str(error))


def _given(folders: list[Path]) -> Iterator[Entry]:
    from eval.leaderboard import Entry, read_standing

    for folder in folders:
        path = folder / "scorecard.json"
        yield Entry(portable(folder), "run", read_standing(read_json(path), str(path)))


def _entry(label: str, kind: str, path: Path, left_out: list[str]) -> Iterator[Entry]:
    from eval.leaderboard import Entry, read_standing

    try:
        yield Entry(label, kind, read_standing(read_json(path), str(path)))
    except PodiumError as error:
        left_out.append(str(error))


def _show(board: Board, top: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from eval.compare_page import interval_text
    from eval.scorecard import floored

    of = board.evalset
    first = f", first {of.max_items}" if of.max_items else ""
    typer.echo(f"evalset  {of.name} ({of.split}{first}), sha256 {of.sha256[:12]}: {board.n_items} items")
    typer.echo(f"scorer   {board.scorer} version {board.scorer_version}")
    table = Table(box=None, pad_edge=False)
    for heading in ("rank", "score", "95% interval", "missing"):
        table.add_column(heading, justify="right")
    table.add_column("run")
    table.add_column("kind")
    for row in board.rows[:top]:
        figures = (str(row.rank), floored(row.answer_correctness), interval_text(row.interval), str(row.n_missing))
        table.add_row(*figures, Text(row.label), row.kind)
    Console().print(table)
    if len(board.rows) > top:
        typer.echo(f"and {len(board.rows) - top} more; --top N or --json shows them")
