"""What stops a sweep before its last trial: the clock, an interrupt, the space's stop rule, and repeated crashes.

Each asks through the stop file of the study's folder; running trials then end at their next step, with a checkpoint.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from podium.core.clock import Deadline
from podium.core.errors import PodiumError
from podium.core.states import State
from tuning.search.stop_rule import StopRule
from tuning.study.events import Event, Listener
from tuning.study.files import request_stop
from tuning.study.study import StudyView
from tuning.study.trial import UNFINISHED, TrialView, best_of, direction_sign

MAX_FIRST_CRASHES = 3  # if the first trials all crash, the hyperparameters are not the cause
WATCH_EVERY_S = 0.2


@contextlib.contextmanager
def watched(
    folder: Path,
    deadline: Deadline,
    quota: Deadline,
    interrupted: Callable[[], bool],
    tick: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Run a thread that stops the sweep when a deadline expires, `interrupted` returns True or `tick` fails."""
    ended = threading.Event()

    def check() -> None:
        try:
            tick()
        except PodiumError as error:
            request_stop(folder, str(error), failed=True)
        if interrupted():
            request_stop(folder, "interrupted")
        elif deadline.expired():
            request_stop(folder, f"the time budget of {deadline.budget_s:g} s is used up")
        elif quota.expired():
            request_stop(folder, f"the quota is used up: it allows {quota.budget_s:g} s of wall time")

    def watch() -> None:
        while not ended.wait(WATCH_EVERY_S):
            check()

    check()
    watcher = threading.Thread(target=watch, name="sweep-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def stop_by_rule(rule: StopRule, study: StudyView) -> Listener:
    """A listener that stops the sweep of `study` when the rule says so; stops it now if it already does."""
    trials = {trial.number: trial for trial in study.trials}

    def check() -> None:
        if reason := stop_reason(rule, trials.values()):
            request_stop(study.dir, reason)

    def listen(event: Event) -> None:
        trials[event.trial.number] = replace(event.trial)  # a copy without the cached config, which is large
        if event.kind == "finished":
            check()

    check()
    return listen


def stop_reason(rule: StopRule, trials: Iterable[TrialView]) -> str | None:
    """Why the rule ends a study with these trials; None if it does not."""
    if rule.target is None and rule.patience is None:  # avoids a loop over all trials whenever one ends
        return None
    ended = [trial for trial in trials if trial.state not in UNFINISHED]
    best = best_of(ended)
    if best is None or best.value is None:
        return None
    sign = direction_sign(best)
    if rule.target is not None and sign * best.value >= sign * rule.target:
        return f"trial {best.number} has {best.value:g}, and the target was {rule.target:g}"
    since = sum(trial.number > best.number for trial in ended)
    if rule.patience is not None and since >= rule.patience:
        return f"{since} trials after trial {best.number} were no better, and the patience was {rule.patience}"
    return None


def stop_after_crashes(folder: Path) -> Listener:
    """A listener that stops a sweep whose first trials all crash."""
    states: list[State] = []

    def listen(event: Event) -> None:
        if event.kind != "finished":
            return
        states.append(event.trial.state)
        if len(states) == MAX_FIRST_CRASHES and all(state is State.FAILED for state in states):
            request_stop(folder, f"the first {MAX_FIRST_CRASHES} trials failed: {event.trial.reason}")

    return listen
