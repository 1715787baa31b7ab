"""`podium submit`."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from podium.cli.completion import submissions
from podium.cli.run_dir import RunDir, submission_at
from podium.core.duration import format_duration
from podium.core.errors import PodiumError, UsageError
from podium.core.paths import from_here, submission_dir
from podium.core.redaction import redact
from podium.core.run_files import MANIFEST


def submit(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", autocompletion=submissions, help="The NAME of `podium promote --as NAME`."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the one attempt after an interruption.")] = False,
    test: Annotated[
        str | None,
        typer.Option("--test", metavar="FILE", help="Answer unlabelled items (JSONL, CSV or ARC JSON); no score."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, run 2 steps and 2 items in a scratch folder; no claim.")
    ] = False,
    run_dir: RunDir = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="Break this rule of the competition; the claim says so. May be repeated."),
    ] = None,
) -> None:
    """Run a lock once: check, claim, train, predict, score and write the evidence."""
    if dry_run and resume:
        raise UsageError("--dry-run with --resume: a dry run claims nothing, so it cannot be resumed; leave one out")
    if accept and resume:
        raise UsageError("--accept with --resume: the attempt began within the rules it was claimed by; leave it out")
    from podium.submission.imports import check_imports

    check_imports()
    rules = tuple(accept or ())
    with submission_at(name, run_dir) as submission:
        if dry_run:
            _rehearse(submission, test, rules)
        else:
            _confirm_machine(submission)
            _run(submission, resume, test, rules)


def _confirm_machine(name: str) -> None:
    """Ask, or warn where nobody can answer, before a lock for another accelerator is used up on this machine.

    Raises UsageError if the answer is no.
    """
    from podium.core.budgets.profiles import load_profile
    from podium.submission.claim import claim_path
    from podium.submission.lock import read_lock
    from trainer.device.devices import find_devices

    config = read_lock(name).run_config()
    wanted = load_profile(config.budget.profile, "budget.profile").accelerator
    if wanted is None or config.device.kind != "auto" or claim_path(submission_dir(name)).exists():
        return
    found = find_devices()
    if found.platform == wanted.kind:
        return
    line = f"budget.profile={config.budget.profile} is for {wanted.name}, and this machine has {found}"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        typer.echo(f"warning: {line}; the lock runs here, once", err=True)
    elif not typer.confirm(f"{line}. A lock runs once. Run it here?"):
        raise UsageError(f"{line}; nothing was run; `podium kaggle export {name}` takes it to Kaggle")


def _run(name: str, resume: bool, test: str | None, accept: tuple[str, ...]) -> None:
    from podium.submission.ending import RunEnded
    from podium.submission.run_once import submit as run_lock

    try:
        manifest = run_lock(name, resume=resume, test=test, accept=accept)
    except RunEnded as ended:
        if ended.is_over:
            mirror(name)
        raise
    except UsageError:
        if (submission_dir(name) / MANIFEST).is_file():
            _log_missing(name)
        raise
    mirror(name)
    typer.echo(f"evidence: {from_here(submission_dir(name))}")
    typer.echo(f"next: podium package {manifest.name}")


def _rehearse(name: str, test: str | None, accept: tuple[str, ...]) -> None:
    from podium.submission.dry_run import ITEMS, STEPS, dry_run

    found = dry_run(name, test=test, accept=accept)
    for check, line in found.checks.items():
        typer.echo(f"{check}: {line}")
    typer.echo(f"dry run: {STEPS} steps, {ITEMS} answers; nothing was claimed")
    parts = ("setup", found.setup_s), ("training", found.training_s), ("answers at most", found.answers_s)
    shown = ", ".join(f"{what} {format_duration(seconds)}" for what, seconds in parts)
    budget = f"{format_duration(found.budget_s)} with a reserve of {format_duration(found.reserve_s)}"
    typer.echo(f"estimate: {format_duration(found.total_s)} ({shown}) of {budget}")
    typer.echo(f"next: podium submit {name}")


def mirror(name: str) -> None:
    """Log the run to MLflow if it is installed."""
    with _errors_as_warnings(name):
        from tuning.tracking import log_submission

        typer.echo(f"MLflow: run {log_submission(submission_dir(name))}")


def _log_missing(name: str) -> None:
    """Log a run that ended before, if its process was killed or MLflow failed before that was done."""
    with _errors_as_warnings(name):
        from tuning.tracking import log_missing

        for problem in log_missing(name):
            raise PodiumError(problem)


@contextlib.contextmanager
def _errors_as_warnings(name: str) -> Iterator[None]:
    """The run is over, so an error of MLflow is a warning, not a failure."""
    try:
        yield
    except (ImportError, PodiumError) as error:
        if isinstance(error, ImportError) or isinstance(error.__cause__, ImportError):
            typer.echo("MLflow: not installed, so this run was not logged")
        else:
            typer.echo(f"warning: {redact(str(error))}; `podium submit {name}` logs it later", err=True)
