"""`podium promote`."""

from typing import TYPE_CHECKING, Annotated

import typer

from podium.core.errors import PodiumError
from podium.core.paths import submission_dir

if TYPE_CHECKING:
    from podium.core.records import PromotionRecord


def promote(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study that `podium sweep` made.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the submission.")],
    trial: Annotated[
        int | None,
        typer.Option(min=0, help="A complete trial; the best by the first objective if not given."),
    ] = None,
) -> None:
    """Lock a study's best trial, or another complete one, for its only submission run."""
    from podium.submission.lock import refuse_taken, write_lock
    from tuning.promotion import promote as pass_gate
    from tuning.study.overview import undistinguished
    from tuning.study.study import load_study

    refuse_taken(name)
    promotion = pass_gate(study, trial)
    lock = write_lock(promotion, name)
    typer.echo(f"promoted: trial {lock.trial} of study {lock.study}, {lock.metric} {lock.value}")
    for key, value in lock.overrides.items():
        typer.echo(f"  {key}: {value}")
    for change in lock.run_config().train.changes:
        typer.echo(
            f"  after step {change.step}: " + ", ".join(f"{key}: {new}" for key, new in change.overrides.items())
        )
    if found := lock.contamination:
        n_exact, n_near = len(found["exact"]), len(found["near"])
        typer.echo(f"contamination: {n_exact} of {found['n_items']} evalset prompts in the trainset, {n_near} nearly")
    if nothing := undistinguished(load_study(study)):
        typer.echo(f"warning: {nothing}")
    typer.echo(f"lock: {submission_dir(name) / 'lock.json'}")
    typer.echo(f"lock_id: {lock.lock_id}")
    if (lock.code_commit or "").endswith("+changes"):
        typer.echo("note: the code has uncommitted changes, so the locked version cannot be checked out; commit first")
    _tag(promotion, name)
    typer.echo(f"next: podium submit {name}")


def _tag(promotion: "PromotionRecord", name: str) -> None:
    """Tag the trial's MLflow run. The lock is already written, so an error here is a warning, not a failure."""
    from podium.core.redaction import redact

    try:
        from tuning.tracking import mark_promoted

        mark_promoted(promotion, name)
    except PodiumError as error:
        typer.echo(f"warning: {redact(str(error))}", err=True)
