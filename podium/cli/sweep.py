"""`podium sweep`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podium.cli.completion import studies
from podium.cli.interrupts import Interrupts, catch_interrupts
from podium.core.duration import format_duration, parse_duration
from podium.core.errors import PodiumError, UsageError
from podium.core.states import State
from podium.core.wording import counted

if TYPE_CHECKING:
    from tuning.search.space import SearchSpace
    from tuning.study.study import StudyView


def sweep(
    space: Annotated[
        str | None, typer.Argument(metavar="SPACE.yaml", help="The search space; may be left out with --resume.")
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Number of trials of the study; default: the space's."),
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stop after this time, like 10m or 1h30m; start-up counts.")
    ] = None,
    quota: Annotated[
        str | None,
        typer.Option(
            metavar="TIME|rest",
            help="Like --time-budget, in quota: time multiplied by the profile's rate. rest: what is left of the week, "
            "less the shares of the promotion gate and the submission.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="PROFILE",
            help="The budget profile whose quota this sweep uses; default: the setting; on Kaggle, the config's.",
        ),
    ] = None,
    target: Annotated[
        float | None, typer.Option(metavar="VALUE", help="Stop once a complete trial is as good as this value.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop after this many trials without an improvement.")
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(metavar="BACKEND", help="ray, inline (in this process), or auto; default: the setting, or auto."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A running Ray cluster: auto or HOST:PORT; docs/tpu-vm.md has examples."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Number of workers; default: the space's.")
    ] = None,
    cores_per_worker: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="CPU cores per worker, if there is no accelerator.")
    ] = None,
    chips_per_worker: Annotated[
        int | None, typer.Option(metavar="N", help="TPU chips per worker: 1, 2, 4 or 8.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="STUDY", autocompletion=studies, help="Continue this study.")
    ] = None,
    warm_start: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY", autocompletion=studies, help="Start a new study from the trials of this older one."
        ),
    ] = None,
    optuna_storage: Annotated[
        str | None,
        typer.Option(metavar="STORAGE", help="journal, sqlite, or a database's URL; default: the setting, or journal."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where nodes without a common disk share trials' files, like s3://bucket/x."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the new study; default: SPACE-001 and so on.")
    ] = None,
) -> None:
    """Search a space for its best trial, and stop poor trials early."""
    _refuse_with_resume(resume, name, warm_start)
    budget_s = None if time_budget is None else parse_duration(time_budget)
    quota_s = quota if quota in (None, "rest") else parse_duration(quota)
    wanted, earlier = _open(space, resume)
    from podium.cli.sweep_display import display
    from tuning import resume as continue_study
    from tuning import sweep as start_study
    from tuning.study.create import limit_for

    total = trials or limit_for(wanted, earlier)
    with catch_interrupts() as interrupts, display(total, earlier, interrupts, budget_s) as show:
        options = {
            "trials": trials,
            "time_budget_s": budget_s,
            "quota_s": quota_s,
            "profile": profile,
            "target": target,
            "patience": patience,
            "backend": backend,
            "address": address,
            "workers": _workers(wanted, workers, cores_per_worker, chips_per_worker),
            "optuna_storage": optuna_storage,
            "storage": storage,
            "listeners": [show],
            "stop": interrupts.requested,
            "say": typer.echo,
        }
        if resume is not None:
            study = continue_study(resume, wanted, **options)
        else:
            study = start_study(wanted, name=name, warm_start=warm_start, **options)
    _finish(study, interrupts, space)


def _refuse_with_resume(resume: str | None, name: str | None, warm_start: str | None) -> None:
    """Raises UsageError for options that only a new study takes."""
    if resume is not None and name is not None:
        raise UsageError(f"--resume {resume} and --name {name} are both given; a resumed study keeps its name")
    if resume is not None and warm_start is not None:
        raise UsageError(
            f"--resume {resume} and --warm-start {warm_start} are both given; only a new study can be warm-started"
        )


def _open(path: str | None, resume: str | None) -> tuple[SearchSpace, StudyView | None]:
    """The space to search, and the study to resume."""
    from tuning.search.load import load_space
    from tuning.study.study import load_study

    earlier = load_study(resume) if resume is not None else None
    if path:
        return load_space(path), earlier
    if earlier:
        return earlier.space, earlier
    raise UsageError("no search space given; name a file, like search_spaces/tiny.yaml, or a study to --resume")


def _workers(
    space: SearchSpace, count: int | None, cores: int | None, chips: int | None
) -> dict[str, int | str | None] | None:
    """The space's `workers`, with the values that were given in place; None if none was."""
    given = {
        name: value for name, value in {"count": count, "cores": cores, "chips": chips}.items() if value is not None
    }
    return {**space.workers.model_dump(), **given} if given else None


def _finish(study: StudyView, interrupts: Interrupts, path: str | None) -> None:
    from tuning.study.files import cannot_continue

    for line in summary_lines(study):
        typer.echo(line)
    if stopped := study.summary.get("stopped"):
        again = " ".join(["podium sweep", *([path] if path else []), "--resume", study.name])
        if study.summary.get("failed"):
            raise cannot_continue(study.name, stopped, again)
        typer.echo(f"stopped: {stopped}; resume with: {again}")
        if interrupts.requested():
            raise typer.Exit(interrupts.exit_code)
    if stopped and all(trial.state is State.STOPPED for trial in study.trials):
        return  # stopped before any trial ended, which is not a failure
    if not any(trial.state is State.COMPLETE for trial in study.trials):
        reason = next((trial.reason for trial in study.trials if trial.reason), "no trial ran to its end")
        raise PodiumError(f"no trial of study {study.name!r} is complete; the first reason: {reason}")
    if not stopped:
        typer.echo(f"next: podium promote {study.name} --as {study.name}")


def summary_lines(study: StudyView) -> list[str]:
    """The lines that `podium sweep` and `podium demo` print at the end."""
    from eval.scorecard import metric_text
    from tuning.search.labels import params_label
    from tuning.study.cuts import cuts_line
    from tuning.study.overview import found_sizes, mlflow_problem, notes, undistinguished

    how = study.summary
    states = ", ".join(f"{count} {state}" for state, count in sorted(how.get("states", {}).items()))
    lines = [f"study {study.name}: {counted(len(study.trials), 'trial')} ({states})"]
    if how.get("busy_share") is not None:
        lines.append(
            f"took {format_duration(how['wall_s'])} on {counted(len(how['workers']), 'worker')} ({how['backend']}), "
            f"busy {int(100 * how['busy_share'])}% of the time; early stopping saved {how['steps_saved']} "
            f"of {counted(how['steps_saved'] + how['steps_run'], 'step')}"
        )
    if problem := mlflow_problem(study):
        lines.append(f"warning: {problem}")
    if any(trial.state is State.COMPLETE for trial in study.trials):
        best, metric = study.best(), study.space.metric
        lines.append(
            f"best: trial {best.number}, {metric} {metric_text(metric, best.value)} at step {best.step}"
            f"{_against_baseline(study)}; {'the base config' if best.baseline else params_label(best.newest_overrides)}"
        )
        if sizes := found_sizes(best):
            lines.append(f"its sizes: {sizes}")
        if cut := cuts_line(best):
            lines.append(cut)
        lines += [f"note: {note}" for note in notes(best)]
        if study.space.objectives:
            front = ", ".join(str(trial.number) for trial in study.front())
            lines.append(f"best by {study.space.metric}; on the Pareto front of all objectives: {front}")
    if nothing := undistinguished(study):
        lines.append(f"warning: {nothing}")
    return lines


def _against_baseline(study: StudyView) -> str:
    from eval.scorecard import metric_text

    metric = study.space.metric
    base = next((trial for trial in study.trials if trial.baseline and trial.state is State.COMPLETE), None)
    if base is None:
        return ""
    untrained = base.untrained.get(metric)
    before = "" if untrained is None else f", {metric_text(metric, untrained)} untrained"
    return f" (the base config: {metric_text(metric, base.value)} at step {base.step}{before})"
