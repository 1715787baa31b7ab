"""`podium show`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from podium.cli.completion import studies
from podium.cli.tables import print_json
from podium.core.errors import UsageError
from podium.core.paths import from_here
from podium.core.wording import counted

if TYPE_CHECKING:
    from tuning.search.population import Mutation
    from tuning.study.study import StudyView
    from tuning.study.trial import TrialView


def show(
    what: Annotated[
        str, typer.Argument(metavar="STUDY[/N]", autocompletion=studies, help="A study, or one of its trials.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a study, or one of its trials with all its values."""
    from tuning.study.overview import log_tail, study_as_dict
    from tuning.study.study import load_study
    from tuning.study.trial import trial_as_dict

    name, slash, number = what.partition("/")
    study = load_study(name)
    if not slash:
        if as_json:
            print_json(
                {**study_as_dict(study), "space_file": study.space.model_dump(mode="json"), "summary": study.summary}
            )
        else:
            _say(_study_lines(study))
        return
    if not number.isdecimal():
        raise UsageError(f"trial {number!r} of {what!r}: must be a number, like {name}/0")
    trial = study.trial(int(number))
    if as_json:
        more = {"reports": trial.reports, "mlflow_run_id": trial.mlflow_run_id, "log_tail": log_tail(trial)}
        print_json({**trial_as_dict(trial), **more})
    else:
        _say(_trial_lines(trial))


def _study_lines(study: StudyView) -> list[str]:
    from eval.scorecard import metric_text
    from tuning.search.labels import params_label
    from tuning.study.cuts import cuts_line
    from tuning.study.overview import found_sizes, mlflow_problem, notes, study_as_dict, undistinguished

    row, space = study_as_dict(study), study.space
    states = ", ".join(f"{count} {state}" for state, count in sorted(row["states"].items()))
    total = row["steps_run"] + row["steps_saved"]
    lines = [
        f"study {study.name}: {counted(len(study.trials), 'trial')} ({states}){', running' if row['running'] else ''}",
        f"  {space.aim_text}; sampler {space.sampler.name}, scheduler {space.scheduler.name}",
        *(f"  {key}: {parameter}" for key, parameter in space.parameters.items()),
        *(f"  constraint: {text}" for text in space.constraints),
        *([f"  warm-started from {study.warm_start}"] if study.warm_start else []),
        f"  early stopping saved {row['steps_saved']} of {counted(total, 'step')}",
    ]
    if row["best_trial"] is not None:
        best = study.best()
        label = "the base config" if best.baseline else params_label(best.newest_overrides)
        lines.append(
            f"  best: trial {best.number}, {metric_text(space.metric, best.value)} at step {best.step}; {label}"
        )
        lines += [f"  its sizes: {sizes}"] if (sizes := found_sizes(best)) else []
        lines += [f"  {cut}"] if (cut := cuts_line(best)) else []
        lines += [f"  note: {note}" for note in notes(best)]
    lines += [_front_line(trial) for trial in (study.front() if space.objectives else ())]
    if nothing := undistinguished(study):
        lines.append(f"  warning: {nothing}")
    if study.summary.get("stopped"):
        lines.append(f"  stopped: {study.summary['stopped']}; resume with: {study.command}")
    if problem := mlflow_problem(study):
        lines.append(f"  warning: {problem}")
    if study.damage:
        lines.append(f"  warning: {study.damage}")
    return [*lines, f"  folder: {from_here(study.dir)}"]


def _trial_lines(trial: TrialView) -> list[str]:
    from eval.scorecard import metric_text
    from tuning.study.overview import log_tail

    metric = trial.space.metric
    title = f"trial {trial.number}: {trial.state} at step {trial.step}, {metric} {metric_text(metric, trial.value)}"
    return [
        title + (f"; {trial.reason}" if trial.reason else ""),
        *(f"  {key}: {value}" for key, value in trial.overrides.items()),
        *(f"  untrained: {metric_text(name, value)}" for name, value in trial.untrained.items() if name == metric),
        *(f"  at step {step}: {metric_text(metric, value)}" for step, value in trial.reports.items()),
        *(_mutation_line(mutation, metric) for mutation in trial.lineage.mutations),
        *(f"  {name}: {_figure(value)}" for name, value in sorted(trial.metrics.items())),
        *(f"  log: {line}" for line in log_tail(trial)),
        f"  MLflow run: {trial.mlflow_run_id or 'none'}",
        f"  folder: {from_here(trial.dir)}",
    ]


def _figure(value: float) -> str:
    """Six significant digits, rounded down."""
    from eval.scorecard import floored

    if not math.isfinite(value) or value == int(value):
        return f"{value:.15g}"
    return f"{float(floored(value, 5 - math.floor(math.log10(abs(value))))):.6g}"


def _front_line(trial: TrialView) -> str:
    from eval.scorecard import metric_text
    from podium.cli.sweep_display import what

    values = ", ".join(f"{name} {metric_text(name, value)}" for name, value in trial.values.items())
    return f"  on the Pareto front: trial {trial.number}, {values}; {what(trial)}"


def _mutation_line(mutation: Mutation, metric: str) -> str:
    from eval.scorecard import metric_text
    from tuning.search.labels import params_label

    own = "it had diverged" if mutation.score is None else f"its own score was {metric_text(metric, mutation.score)}"
    what = f"copied trial {mutation.donor}, which had {metric_text(metric, mutation.donor_score)} ({own})"
    return f"  after step {mutation.step}: {what}, and continued with {params_label(mutation.overrides)}"


def _say(lines: list[str]) -> None:
    for line in lines:
        typer.echo(line)
