"""`podium init`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from podium.core import settings
from podium.core.paths import from_here
from podium.core.wording import counted

DATA_HELP = "A JSONL, JSON, CSV, Parquet or Arrow file, a folder, or hf:OWNER/NAME; default: the built-in data."


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to make; its name is the project's.")],
    data: Annotated[str | None, typer.Option("--data", metavar="FILE", help=DATA_HELP)] = None,
    model: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="tiny, a Hugging Face folder, a hub id, or kaggle:HANDLE.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="Where the submission is to run, as `podium plan --on` takes it; default: this machine.",
        ),
    ] = None,
) -> None:
    """Start a project for your own data and model: config, search space, evalset, and the next commands."""
    from podium.starter.project import check_folder
    from podium.starter.project import init as write_project

    check_folder(folder)  # before anything is asked
    data = _asked("Data file (empty: the built-in example)", data)
    model = _asked("Model: a folder or a hub id (empty: the built-in tiny model)", model)
    project = write_project(folder, data, model or "tiny", target)
    facts = project.facts
    typer.echo(f"project      {project.folder}")
    typer.echo(f"trainset     {facts.trainset}: {counted(facts.n_examples, 'example')}{_format(project.format)}")
    parts = f"{facts.n_dev} for the sweep (dev), {facts.n_holdout} for promotion and submission (holdout)"
    typer.echo(f"evalset      {facts.evalset}: held out {parts}")
    sizes = facts.sizes
    how = "LoRA" if sizes.lora else "all parameters"
    memory = f", about {sizes.memory} a step" if sizes.memory else ""
    typer.echo(f"run          {facts.model}, {how}, batch {sizes.batch_size}, {sizes.max_steps} steps{memory}")
    if sizes.note:
        typer.echo(f"note: {sizes.note}")
    if settings.variable("PODIUM_HOME"):
        typer.echo("note: PODIUM_HOME is set; unset it, so that commands find the project in the current folder")
    enter = f"cd {shlex.quote(from_here(project.folder))} && " if project.folder != Path.cwd() else ""
    typer.echo(f"next: {enter}podium sweep search_spaces/{facts.name}.yaml --name first")
    typer.echo("README.md there has the commands after that")


def _asked(question: str, given: str | None) -> str | None:
    """`given`, or what the user answers on a terminal; None if that is empty, or if there is no terminal."""
    if given is not None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return given
    answer = typer.prompt(question, default="", show_default=False)
    return str(answer).strip() or None


def _format(name: str | None) -> str:
    return f", read as {name}" if name else ", built in"
