"""`podium promote`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.completion import studies
from podium.cli.interrupts import catch_interrupts
from podium.core.errors import PodiumError, UsageError
from podium.core.paths import from_here, submission_dir

if TYPE_CHECKING:
    from podium.core.promotion import PromotionRecord
    from podium.submission.lock import Lock
    from tuning.candidates import Configuration
    from tuning.confirmation import ConfirmationRun

BASELINE = "baseline"


def promote(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", autocompletion=studies, help="A study that `podium sweep` made.")
    ],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Name of the submission.")],
    trial: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Confirm this complete trial; default: the best ones by the first objective.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Number of trials to confirm.")] = 3,
    seeds: Annotated[int, typer.Option(metavar="N", min=2, help="Number of new seeds to run each of them with.")] = 3,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|baseline",
            help="The lock to compare with, or the base config; default: the last confirmed lock on the evalset.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Run nothing: lock the best trial of the sweep, unconfirmed.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Lock the winner whatever the verdict is; the lock says so.")
    ] = False,
    overlap: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Why prompts that trainset and evalset nearly share do not matter; goes into the lock."
        ),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="Break this rule of the competition (model, output, date, profile, session); the lock says so. "
            "May be repeated.",
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(metavar="BACKEND", help="ray, inline (in this process), or auto; default: the setting, or auto."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A running Ray cluster, as in `podium sweep`.")
    ] = None,
) -> None:
    """Lock the trial of a study that has earned it: the best ones run again with new seeds, scored on the holdout."""
    from podium.core.config import RunConfig
    from podium.submission.lock import broken_rules, refuse_taken, write_lock
    from tuning.promotion import promote_unconfirmed
    from tuning.search.target import refuse_misfit
    from tuning.study.locks import driver_of
    from tuning.study.overview import undistinguished
    from tuning.study.study import load_study

    refuse_taken(name)
    # The gate takes long, so what it or its winner would be refused for is found before.
    known = load_study(study)
    if trial is not None:
        known.trial(trial)
    broken_rules(known.space.base_config, accept or ())
    if quick and driver_of(known.dir) is not None:  # the gate itself refuses
        typer.echo(f"warning: the sweep of study {study!r} goes on; trials that end later are not candidates", err=True)
    if quick:
        promotion = promote_unconfirmed(study, trial, overlap)
    else:
        options = {
            "trial": trial,
            "top": top,
            "seeds": seeds,
            "overlap": overlap,
            "backend": backend,
            "address": address,
        }
        promotion = _confirm(study, against, options)
        if promotion.verdict != "promote":
            promotion = _forced(promotion, force)
    if target := load_study(study).space.target:
        refuse_misfit(RunConfig.parse(promotion.config, f"trial {promotion.trial}"), target, promotion.trial)
    lock = write_lock(promotion, name, accept or ())
    _show_lock(lock)
    if nothing := undistinguished(load_study(study)):
        typer.echo(f"warning: {nothing}")
    typer.echo(f"lock: {from_here(submission_dir(name) / 'lock.json')}")
    typer.echo(f"lock_id: {lock.lock_id}")
    if (lock.code_commit or "").endswith("+changes"):
        typer.echo("note: Podium's own code has uncommitted changes, so the locked version cannot be checked out")
    _tag(promotion, name)
    typer.echo(f"next: podium submit {name}")


def _confirm(study: str, against: str | None, options: dict[str, Any]) -> PromotionRecord:
    """Run the gate and print what it finds. An interrupt ends the command; the same command then goes on."""
    from tuning.promotion import promote as pass_gate

    reference = _reference(study, against)
    with catch_interrupts() as interrupts:
        try:
            promotion = pass_gate(study, against=reference, on_run=_show_run, stop=interrupts.requested, **options)
        except PodiumError as error:
            if not interrupts.requested():
                raise
            typer.echo(str(error))
            raise typer.Exit(interrupts.exit_code) from None
        finally:
            _log_runs(study)
    assert promotion.decision is not None
    from podium.cli.decision_lines import decision_lines

    for line in decision_lines(promotion.decision):
        typer.echo(line)
    return promotion


def _forced(promotion: PromotionRecord, force: bool) -> PromotionRecord:
    """The record of a promotion against the verdict. Raises PodiumError if that was not asked for."""
    if not force:
        line = f"study {promotion.study!r}: {promotion.verdict}; nothing was locked, --force locks it"
        raise PodiumError(line)
    return promotion.model_copy(update={"forced": True})


def _reference(study: str, against: str | None) -> Configuration | None:
    """The lock to compare with; None for the base config."""
    from eval.sets.evalset import load_evalset
    from podium.submission.lock import incumbent, read_lock
    from tuning.candidates import Configuration
    from tuning.study.study import load_study

    evalset = load_evalset(load_study(study).space.base_config.eval.evalset)
    if against == BASELINE:
        return None
    lock = incumbent(evalset.sha256) if against is None else read_lock(against)
    if lock is None:
        return None
    if lock.hashes["evalset"] != evalset.sha256:
        raise UsageError(
            f"--against {lock.name}: its evalset is not {evalset.name} as it is now; compare with a lock on the same "
            f"evalset, or with --against {BASELINE}"
        )
    return Configuration(f"lock {lock.name}", lock.run_config())


def _show_run(run: ConfirmationRun) -> None:
    from eval.scorecard import floored

    found = run.reason if run.score is None else floored(run.score)
    typer.echo(f"  {run.configuration.label}, seed {run.seed}: {found}")


def _show_lock(lock: Lock) -> None:
    from eval.scorecard import metric_text

    how = f"locked by --force (verdict: {lock.verdict})" if lock.forced else f"promoted ({lock.verdict})"
    value = metric_text(lock.metric, lock.value)
    typer.echo(f"{how}: trial {lock.trial} of study {lock.study}, {lock.metric} {value}")
    for key, value in lock.overrides.items():
        typer.echo(f"  {key}: {value}")
    for change in lock.run_config().train.changes:
        typer.echo(
            f"  after step {change.step}: " + ", ".join(f"{key}: {new}" for key, new in change.overrides.items())
        )
    for line in (lock.accepted or {}).values():
        typer.echo(f"accepted: {line}")
    if found := lock.contamination:
        n_exact, n_near = len(found["exact"]), len(found["near"])
        typer.echo(f"contamination: {n_exact} of {found['n_items']} evalset prompts in the trainset, {n_near} nearly")


def _log_runs(study: str) -> None:
    """Write the confirmation runs to MLflow. They are on disk, so an error here is a warning, not a failure."""
    from podium.core.redaction import redact
    from tuning.study.study import load_study
    from tuning.tracking import log_confirmations

    try:
        log_confirmations(load_study(study))
    except PodiumError as error:
        typer.echo(f"warning: {redact(str(error))}", err=True)


def _tag(promotion: PromotionRecord, name: str) -> None:
    """Tag the trial's MLflow run. The lock is already written, so an error here is a warning, not a failure."""
    from podium.core.redaction import redact

    try:
        from tuning.study.study import load_study
        from tuning.tracking import mark_promoted, register_promoted

        mark_promoted(promotion, name)
        space = load_study(promotion.study).space.name
        if version := register_promoted(promotion, submission_dir(name), space):
            typer.echo(f"MLflow: version {version} of model {space!r}, alias promoted")
    except PodiumError as error:
        typer.echo(f"warning: {redact(str(error))}", err=True)
