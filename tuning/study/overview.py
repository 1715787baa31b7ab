"""What the commands that inspect studies show: summaries, sorted trials, importances, and a sweep that runs."""

from __future__ import annotations

import contextlib
import difflib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_json, read_text
from podium.core.redaction import one_line
from podium.core.resolved import sizes_line
from podium.core.run_files import PROVENANCE
from podium.core.states import State
from tuning.study.events import Event
from tuning.study.files import LOG_TAIL_FILE, request_stop
from tuning.study.locks import driver_of
from tuning.study.storage import open_storage
from tuning.study.study import StudyView, find_study, load_study, study_names
from tuning.study.trial import UNFINISHED, TrialView, signed

if TYPE_CHECKING:
    from optuna import Study

ORDERS = ("number", "state", "value", "step")  # trials can be sorted by these, by config keys and by metrics


def study_as_dict(study: StudyView) -> dict[str, Any]:
    """The study as plain values: what `podium studies --json` prints."""
    complete = [trial for trial in study.trials if trial.value is not None]
    best = study.best() if complete else None
    return {
        "study": study.name,
        "space": study.space.name,
        "running": driver_of(study.dir) is not None,
        "trials": len(study.trials),
        "states": dict(Counter(str(trial.state) for trial in study.trials)),
        "metric": study.space.metric,
        "best_trial": best.number if best else None,
        "best_value": best.value if best else None,
        **({"front": [trial.number for trial in study.front()]} if study.space.objectives else {}),
        **steps(study),
        **({"damage": study.damage} if study.damage else {}),
    }


def steps(study: StudyView) -> dict[str, int]:
    """The steps that the ended trials trained, and the steps that early stopping saved."""
    ended = [trial for trial in study.trials if trial.state not in UNFINISHED and trial.step]
    run = sum(trial.step for trial in ended)
    return {"steps_run": run, "steps_saved": sum(trial.config.steps for trial in ended) - run}


def mlflow_problem(study: StudyView) -> str | None:
    """How MLflow failed in the last sweep, and whether it shows the study now; None if it did not fail."""
    account = study.summary.get("mlflow", {})
    n_failed, n_behind = account.get("failures", 0), len(account.get("unwritten", ()))
    study_behind = account.get("study_unwritten", False)
    behind = [f"{n_behind} trial{'s' if n_behind > 1 else ''}"] * bool(n_behind) + [
        "the study's own run"
    ] * study_behind
    if not (n_failed or behind):
        return None
    times = "once" if n_failed == 1 else f"{n_failed} times"
    failed = f"failed {times} ({account['last_failure']})" if n_failed else "was too slow"
    if not behind:
        return f"MLflow {failed}; everything was written in the end"
    are = "are" if n_behind + study_behind > 1 else "is"
    rest = f"missing or out of date there; the next sweep with --resume {study.name} adds them"
    return f"MLflow {failed}; {' and '.join(behind)} {are} {rest}"


def undistinguished(study: StudyView) -> str | None:
    """A warning if every trial scored the same, so that the best is only the first; None if a score differs.

    The score of a trial that was stopped early is its newest report. One trial alone has nothing to differ from.
    """
    complete = [trial for trial in study.trials if trial.value is not None]
    early = [trial for trial in study.trials if trial.state is State.PRUNED and trial.reports]
    scores = [trial.value for trial in complete] + [trial.reports[max(trial.reports)] for trial in early]
    if not complete or len(scores) < 2 or len(set(scores)) > 1 or len({*map(signed, complete)}) > 1:
        return None
    return (
        f"nothing was distinguished: {study.space.metric} is {scores[0]:g} in all {len(scores)} trials that have a "
        f"score, so trial {study.best().number} is the best only because it is the first; train for more steps, score "
        "more items, or choose a finer metric such as dev/loss"
    )


def all_studies() -> list[dict[str, Any]]:
    """Every study of the workspace as `study_as_dict` gives it; of one that cannot be read, its name and `damage`."""
    return [_readable_part(name) for name in study_names()]


def _readable_part(name: str) -> dict[str, Any]:
    try:
        return study_as_dict(load_study(name))
    except PodiumError as error:
        return {"study": name, "damage": one_line(error)}


def found_sizes(trial: TrialView) -> str | None:
    """The sizes that its worker found for each `auto`; None if there are none, or if its config.yaml is damaged."""
    with contextlib.suppress(UsageError):
        return sizes_line(trial.config, trial.run_config)
    return None


def notes(trial: TrialView) -> list[str]:
    """What its worker noted of the trainset, such as where system turns went; empty if provenance.json is damaged."""
    with contextlib.suppress(UsageError, KeyError, TypeError):
        return list(read_json(trial.dir / PROVENANCE)["trainset"]["notes"])
    return []


def log_tail(trial: TrialView) -> list[str]:
    """How the worker process that last died with the trial ended, and the last lines that it printed."""
    path = trial.dir / LOG_TAIL_FILE
    return read_text(path).splitlines() if path.is_file() else []


def select(study: StudyView, sort: str = "number", state: str | None = None) -> list[TrialView]:
    """The study's trials in that state, sorted; by value, the best comes first. Trials without the value come last.

    Raises:
        UsageError: unknown state, or unknown name to sort by.
    """
    if state is not None and state not in list(State):
        raise UsageError(f"--state {state!r}, must be one of {', '.join(State)}")
    names = {name for trial in study.trials for name in (*trial.overrides, *trial.metrics)}
    if sort not in ORDERS and sort not in names:
        near = difflib.get_close_matches(sort, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"`podium show {study.name}/0` lists them"
        raise UsageError(f"--sort {sort!r}, must be {', '.join(ORDERS)}, a config key or a metric; {hint}")
    chosen = [trial for trial in study.trials if state is None or trial.state == state]
    known = [trial for trial in chosen if _sorted_by(trial, sort) is not None]
    best_first = sort == "value" and study.space.direction == "maximize"
    known.sort(key=lambda trial: _sorted_by(trial, sort), reverse=best_first)
    return known + [trial for trial in chosen if _sorted_by(trial, sort) is None]


def importance(name: str) -> dict[str, dict[str, float]]:
    """The share of each objective's variation that each parameter explains, largest first (fANOVA, Hutter et al. 2014).

    Only parameters that every complete trial has are included.

    Raises:
        UsageError: unknown study, a population, or fewer than two complete trials with different scores.
    """
    view = load_study(name)
    if view.space.scheduler.name == "pbt":
        raise UsageError(
            f"study {name!r} is a population: its members copy each other, so their scores do not follow from the "
            f"parameters they drew; `podium show {name}/N` shows what a member copied"
        )
    study = open_storage(find_study(name))
    return {metric: _shares(study, view, place) for place, (metric, _) in enumerate(view.space.aims)}


def _shares(study: Study, view: StudyView, place: int) -> dict[str, float]:
    """The shares for the objective at index `place`. Raises UsageError if its values do not vary."""
    import optuna

    metric = view.space.aims[place][0]
    values = {trial.values[metric] for trial in view.trials if trial.value is not None}
    if len(values) < 2:
        what = f" of {metric}" if view.space.objectives else ""
        raise UsageError(
            f"study {view.name!r} has {len(values)} different scores{what} of complete trials, must have 2 or more; "
            f"run more: podium sweep --resume {view.name}"
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(
        study, evaluator=evaluator, target=lambda trial: float(trial.values[place])
    )
    return {key: float(share) for key, share in found.items()}


def stop(name: str) -> str:
    """Ask the sweep that runs the study to stop: its trials end at their next step, with a checkpoint.

    Returns the id of the sweep's process.

    Raises:
        UsageError: unknown study, or no sweep runs it.
    """
    folder = find_study(name)
    driver = driver_of(folder)
    if driver is None:
        raise UsageError(f"no sweep runs study {name!r}, so there is nothing to stop")
    request_stop(folder, "requested by podium stop")
    return driver


def follow(name: str, pause: Callable[[], None] = lambda: time.sleep(1.0)) -> Iterator[Event]:
    """The events of a study that another process runs, until no sweep runs it; those of ended trials come first."""
    seen: dict[int, TrialView] = {}
    runs = True
    while runs:
        runs = driver_of(find_study(name)) is not None  # before the study is read, so that no event is missed
        for trial in load_study(name).trials:
            before = seen.get(trial.number)
            seen[trial.number] = trial
            if before is None:
                yield Event("started", trial)
            elif before.reports != trial.reports:
                yield Event("reported", trial)
            if trial.state.is_final and (before is None or before.state != trial.state):
                yield Event("finished", trial)
        if runs:
            pause()


def _sorted_by(trial: TrialView, name: str) -> Any:
    if name in ORDERS:
        return getattr(trial, name)
    return trial.metrics.get(name, trial.overrides.get(name))
