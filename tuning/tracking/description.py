"""The Markdown description of a study's MLflow run, and the table of its trials on MLflow's pages."""

import json
from collections.abc import Mapping
from typing import Any

from podium.core.duration import format_duration
from podium.core.states import State
from tuning.search.labels import params_label
from tuning.study.data import FUNCTION
from tuning.study.study import StudyView
from tuning.study.trial import TrialView, best_of

# Without this parameter MLflow shows its pages for language-model applications.
MACHINE_LEARNING = "workflowType=machine_learning"
VIEW_TAG = "mlflow.sharedViewState."  # prefix of an experiment's tag; `trials_page` names the view after it
MOST_COLUMNS = 16


def describe(study: StudyView, experiment: str, run_ids: Mapping[int, str]) -> str:
    """Best trial, space, states and the commands to type next. `run_ids` (by trial number) are for the links."""
    space = study.space
    lines = [
        f"**{space.aim_text}** with {space.sampler.name} and {space.scheduler.name}: {_states(study)}",
        "",
        *_best(study, experiment, run_ids),
        "",
        f"[All trials, best first](#{trials_page(study.name, experiment)})",
        "",
        *(f"- `{key}`: {parameter}" for key, parameter in space.parameters.items()),
        *(f"- constraint `{text}`" for text in space.constraints),
        "",
        f"Folder `{study.dir.name}`. {_next(study)}",
    ]
    return "\n".join(lines)


def _next(study: StudyView) -> str:
    """What to type next. A study of a training function of the user's own is continued, and used, where that is."""
    shown = f"`podium show {study.name}` summarises it"
    if FUNCTION in study.data:
        return f"{shown}."
    return (
        f"{shown}, `podium sweep --resume {study.name}` continues it, "
        f"`podium promote {study.name} --as NAME` locks the best trial."
    )


def trials_page(study: str, experiment: str) -> str:
    """The address of the page of an experiment's runs, with the view that `trials_view` defines."""
    return f"/experiments/{experiment}/runs?{MACHINE_LEARNING}&viewStateShareKey={study}"


def trials_view(study: StudyView) -> dict[str, Any]:
    """The state of MLflow's table of runs that compares a study's trials: the searched parameters, best score first."""
    space = study.space
    searched = [f"params.`{param_name(key)}`" for key in space.parameters]
    columns = ["tags.`state`", *(f"metrics.`{name}`" for name in dict.fromkeys((space.metric, "dev/loss"))), *searched]
    return {
        "searchFilter": f"tags.study = '{study.name}' and tags.kind != 'study'",
        "orderByKey": f"metrics.`{space.metric}`",
        "orderByAsc": space.direction == "minimize",
        "selectedColumns": columns[:MOST_COLUMNS],
    }


def param_name(key: str) -> str:
    """`learning_rate` for train.learning_rate, since columns are narrow; keys of other sections are unchanged."""
    return key.removeprefix("train.")


def param_value(value: Any) -> str:
    """The value with four significant digits; the exact one is in the run's config.yaml."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def shared_view(study: StudyView) -> tuple[str, str]:
    """The experiment's tag (name, value) that makes `trials_page` show `trials_view`."""
    return f"{VIEW_TAG}{study.name}", json.dumps(trials_view(study))


def _states(study: StudyView) -> str:
    counts = {state: sum(trial.state is state for trial in study.trials) for state in State}
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no trials yet"
    took = f" in {format_duration(study.summary['wall_s'])}" if "wall_s" in study.summary else ""
    return f"{len(study.trials)} trials ({states}){took}" if study.trials else states


def _best(study: StudyView, experiment: str, run_ids: Mapping[int, str]) -> list[str]:
    best = best_of(study.trials)
    if best is None:
        return ["No trial is complete yet."]
    link = _link(best, experiment, run_ids)
    label = "the base config" if best.baseline else f"`{params_label(best.overrides)}`"
    return [f"Best: {link}, {study.space.metric} **{best.value:.4g}** at step {best.step}: {label}"]


def _link(trial: TrialView, experiment: str, run_ids: Mapping[int, str]) -> str:
    name = f"trial-{trial.number:03d}"
    run_id = run_ids.get(trial.number)
    return f"[{name}](#/experiments/{experiment}/runs/{run_id}?{MACHINE_LEARNING})" if run_id else name
