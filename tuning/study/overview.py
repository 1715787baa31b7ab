"""Studies and trials as plain values, for tables, JSON and notebooks; which parameters mattered; a sweep that runs."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from podium.core.errors import UsageError
from podium.core.files import read_text
from podium.core.states import State
from tuning.study.events import Event
from tuning.study.files import request_stop
from tuning.study.locks import driver_of
from tuning.study.storage import open_storage
from tuning.study.study import StudyView, existing, load_study, study_names
from tuning.study.trial import UNFINISHED, TrialView

ORDERS = ("number", "state", "value", "step")  # of a list of trials, beside config keys and metrics


def study_row(study: StudyView) -> dict[str, Any]:
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
    }


def steps(study: StudyView) -> dict[str, int]:
    """Steps that the trials which have ended were trained, and what those that ended early were not."""
    ended = [trial for trial in study.trials if trial.state not in UNFINISHED and trial.step]
    run = sum(trial.step for trial in ended)
    return {"steps_run": run, "steps_saved": sum(trial.config.train.max_steps for trial in ended) - run}


def mlflow_problem(study: StudyView) -> str | None:
    """What MLflow failed at in the last sweep, and whether it shows the trials by now; None where all went well."""
    account = study.summary.get("mlflow", {})
    if not account.get("failures"):
        return None
    if n_behind := len(account["unwritten"]):
        plural = "trial is" if n_behind == 1 else "trials are"
        rest = f"{n_behind} {plural} not in it as they are; the next sweep with --resume {study.name} adds them"
    else:
        rest = "all was written in the end"
    times = "once" if account["failures"] == 1 else f"{account['failures']} times"
    return f"MLflow failed {times} ({account['last_failure']}); {rest}"


def all_studies() -> list[dict[str, Any]]:
    return [study_row(load_study(name)) for name in study_names()]


def log_tail(trial: TrialView) -> list[str]:
    """What was kept of a worker that died with the trial: how it ended, and the last lines that it printed."""
    path = trial.dir / "log_tail.txt"
    return read_text(path).splitlines() if path.is_file() else []


def select(study: StudyView, sort: str = "number", state: str | None = None) -> list[TrialView]:
    """The study's trials in that state, best first where sorted by value; those without what is sorted by come last.

    Raises:
        UsageError: no such state, or nothing of that name to sort by.
    """
    if state is not None and state not in list(State):
        raise UsageError(f"--state {state!r}, must be one of {', '.join(State)}")
    names = {name for trial in study.trials for name in (*trial.overrides, *trial.metrics)}
    if sort not in ORDERS and sort not in names:
        raise UsageError(f"--sort {sort!r}, must be one of {', '.join((*ORDERS, *sorted(names)))}")
    chosen = [trial for trial in study.trials if state is None or trial.state == state]
    known = [trial for trial in chosen if _sorted_by(trial, sort) is not None]
    best_first = sort == "value" and study.space.direction == "maximize"
    known.sort(key=lambda trial: _sorted_by(trial, sort), reverse=best_first)
    return known + [trial for trial in chosen if _sorted_by(trial, sort) is None]


def importance(name: str) -> dict[str, dict[str, float]]:
    """For every objective's metric, the share of its variation that each parameter explains, largest first (fANOVA,
    Hutter et al. 2014).

    It is about parameters that every complete trial has.

    Raises:
        UsageError: unknown study, a population, or fewer than two complete trials with different scores.
    """
    view = load_study(name)
    if view.space.scheduler.name == "pbt":
        raise UsageError(
            f"study {name!r} is a population: its scores come from what members copied on their way, not from what "
            f"they drew; `podium show {name}/N` shows that way"
        )
    study = open_storage(existing(name))
    return {metric: _shares(study, view, place) for place, (metric, _) in enumerate(view.space.aims)}


def _shares(study: Any, view: StudyView, place: int) -> dict[str, float]:
    """Those of one objective. Raises UsageError where its values say nothing."""
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
    """Ask the sweep that runs the study to end: its trials at their next step, with a checkpoint. Returns its process.

    Raises:
        UsageError: unknown study, or nothing runs it.
    """
    folder = existing(name)
    driver = driver_of(folder)
    if driver is None:
        raise UsageError(f"no sweep runs study {name!r}, so there is nothing to stop")
    request_stop(folder, "podium stop asked for it")
    return driver


def follow(name: str, pause: Callable[[], None] = lambda: time.sleep(1.0)) -> Iterator[Event]:
    """What happens in a study, seen from outside, until no sweep runs it; what has ended already comes first."""
    seen: dict[int, TrialView] = {}
    runs = True
    while runs:
        runs = driver_of(existing(name)) is not None  # before the look: what happens after it is in the next one
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
