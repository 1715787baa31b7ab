"""`podium demo`: every step with the tiny model, by the commands that a user would type."""

import shlex
import time
from functools import partial
from itertools import count
from typing import Annotated

import typer

from podium.core.duration import format_duration
from podium.core.paths import portable, study_dir, submission_dir

SPACE = "search_spaces/tiny.yaml"


def demo(
    context: typer.Context,
    trials: Annotated[
        int, typer.Option(metavar="N", min=2, help="Trials of the sweep; the first is the default config.")
    ] = 6,
) -> None:
    """Show every step with the tiny model: sweep, confirm and promote the best trial, submit it once, package it."""
    started_s = time.monotonic()
    name = _free_name()
    run = partial(_run, context)
    run("trainset", "build", "tiny-reasoning")
    run("sweep", SPACE, "--trials", str(trials), "--name", name)
    _compare_with_default(name)
    # --force: every later step is to be seen, whatever the verdict.
    run("promote", name, "--as", name, "--against", "baseline", "--top", "2", "--seeds", "2", "--force")
    run("submit", name)
    run("package", name)
    typer.echo(f"\ndemo finished in {format_duration(time.monotonic() - started_s)}")
    typer.echo(f"  study        {portable(study_dir(name))} in the workspace: one folder per trial")
    typer.echo(f"  submission   {portable(submission_dir(name))}: lock, evidence, predictions")
    typer.echo(f"  package      podium verify submission_runs/packages/podium_{name}_*.zip")
    typer.echo("  compare      podium ui    (the trials in MLflow, on 127.0.0.1)")


def _free_name() -> str:
    names = (f"demo-{number:03d}" for number in count(1))
    return next(name for name in names if not submission_dir(name).exists() and not study_dir(name).exists())


def _run(context: typer.Context, *arguments: str) -> None:
    """Print a command and run it in this process, so that libraries are imported once."""
    from rich.text import Text

    from podium.cli.terminal import console

    console().print(Text(f"\n$ podium {shlex.join(arguments)}", "bold"), soft_wrap=True)
    context.find_root().command.main(list(arguments), standalone_mode=False)


def _compare_with_default(study: str) -> None:
    """Print the gain of the search: the best trial and the default config after the same number of steps."""
    from eval.scorecard import floored
    from tuning.study.study import load_study

    view = load_study(study)
    best, default = view.best(), view.trial(0)
    step = min(best.step, default.step)
    ours, theirs = best.reports[step], default.reports[step]
    typer.echo(
        f"after {step} steps: trial {best.number} has {floored(ours)}, the default config {floored(theirs)}: "
        f"{'+' if ours >= theirs else ''}{floored(ours - theirs)} points"
    )
