"""`podium repair`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podium.core.errors import UsageError
from podium.core.progress import doing
from podium.core.run_files import LEDGER, LOCK

if TYPE_CHECKING:
    from podium.core.damage import Findings


def repair(
    what: Annotated[
        str, typer.Argument(metavar="STUDY|RUN|quota.jsonl", help="A study, the folder of a run, or the quota ledger.")
    ],
    mlflow: Annotated[
        bool, typer.Option("--mlflow", help="Also write a study to an MLflow store that does not know it.")
    ] = False,
) -> None:
    """Repair a study, a run or the ledger: keep what is damaged, and rebuild what follows from other files."""
    with doing(f"checking {what}"):
        if what == LEDGER:
            found = _repair_ledger()
        else:
            found = _repair_run(Path(what)) if _is_run(Path(what)) else _repair_study(what, mlflow)
    for line in found.done:
        typer.echo(line)
    for line in found.lost:
        typer.echo(f"lost: {line}")
    if not found:
        typer.echo(f"{what}: nothing is damaged")


def _is_run(path: Path) -> bool:
    from trainer.loop import holds_run

    return path.is_dir() and (holds_run(path) or (path / LOCK).exists())


def _repair_run(run: Path) -> Findings:
    from podium.core.damage import Findings
    from trainer.run.repair import repair_run
    from trainer.run.run_folder import Claim

    if (run / LOCK).exists():
        raise UsageError(f"{run} is a submission, whose evidence is never changed; restore its files from a backup")
    found, claim = Findings(), Claim(run)
    try:
        repair_run(run, found)
    finally:
        claim.close()
    return found


def _repair_ledger() -> Findings:
    from podium.core.budgets.ledger import repair

    return repair()


def _repair_study(name: str, mlflow: bool) -> Findings:
    from tuning.repair import repair_study

    return repair_study(name, mlflow)
