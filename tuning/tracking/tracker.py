"""The only writer to MLflow: a thread of the driver.

An event of a trial is first written to the trial's folder (tuning/tracking/spool.py). The thread then brings MLflow to
the state of the folder: a trial waits until MLflow shows its current state. A sweep therefore never waits for a server.
If a server is down for a while, nothing is lost; if it stays down, the sweep continues, and a resumed sweep writes what
an earlier one could not.
"""

import threading
from collections.abc import Mapping
from typing import Any

from podium.core.errors import PodiumError
from podium.core.progress import doing
from tuning.search.space import SearchSpace
from tuning.study.events import Event
from tuning.study.study import StudyView
from tuning.study.trial import TrialView
from tuning.tracking import spool
from tuning.tracking.runs import StudyRuns
from tuning.tracking.store import reason
from tuning.tracking.uri import tracking_uri

CLOSE_TIMEOUT_S, CLOSE_WHEN_DOWN_S = 30.0, 3.0
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
# Ended trials are written first, running ones at this interval: a short trial is then written only once.
GATHER_S = 1.0


class Tracker:
    """Listens to a sweep and writes to MLflow. Leaving its context waits for the rest to be written."""

    def __init__(self, study: StudyView, space: SearchSpace, uri: str | None = None) -> None:
        """`study` is the study before the sweep. Raises UsageError for a tracking URI with an unknown scheme."""
        self.failures = 0
        self.last_failure: str | None = None
        self._runs = StudyRuns(tracking_uri(uri), study.name, space, study.data)
        self._before = study
        self._waiting: dict[int, TrialView] = {}  # trials whose current state MLflow does not show
        self._end: tuple[StudyView, Mapping[str, Any]] | None = None
        self._changed = threading.Condition()
        self._looked_back = self._opened = False
        self._closing = self._refused = self._progressed = self._done = self._abandoned = False
        self._thread = threading.Thread(target=self._work, name="mlflow-writer", daemon=True)

    def __enter__(self) -> "Tracker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait as long as the writer makes progress; only briefly if MLflow fails again after the sweep has ended."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            with doing("writing to MLflow"):
                self._wait_for_writer()
        if self._refused:
            self._thread.join(CLOSE_WHEN_DOWN_S)
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def _wait_for_writer(self) -> None:
        """Wait until the writer is done, fails, or writes nothing for a while."""
        while self._thread.is_alive() and not (self._done or self._refused):
            self._progressed = False
            if not self._changed.wait_for(lambda: self._done or self._refused or self._progressed, CLOSE_TIMEOUT_S):
                return

    def on_event(self, event: Event) -> None:
        try:
            spool.append(event)
        except (OSError, PodiumError) as error:
            self._note(error)
        with self._changed:
            self._waiting[event.trial.number] = event.trial
            self._changed.notify_all()

    def finish(self, study: StudyView, summary: Mapping[str, Any]) -> None:
        """Write the study's own run from these values; called when the sweep has ended."""
        with self._changed:
            self._end = (study, summary)
            self._changed.notify_all()

    def account(self) -> dict[str, Any]:
        """For summary.json: how often MLflow failed, the trials that are missing or out of date there, and whether the
        study's own run is."""
        with self._changed:
            return {
                "failures": self.failures,
                "last_failure": self.last_failure,
                "unwritten": sorted(self._waiting),
                "study_unwritten": self._end is not None,
            }

    # The methods below run in the writer's thread.

    def _work(self) -> None:
        n_failed = 0  # in a row
        while self._has_work() and not self._abandoned:
            was_closing = self._closing
            try:
                self._write_next()
            except Exception as error:  # noqa: BLE001  counted, shown and tried again; MLflow raises many kinds
                self._note(error, refused=was_closing)
                self._opened = False
                self._back_off(BACK_OFF_S[min(n_failed, len(BACK_OFF_S) - 1)], was_closing)
                n_failed += 1
            else:
                n_failed = 0
                with self._changed:
                    self._progressed = True
                    self._changed.notify_all()
        with self._changed:
            self._done = True
            self._changed.notify_all()

    def _back_off(self, seconds: float, was_closing: bool) -> None:
        """Wait before the next attempt, unless the sweep has ended since the last one."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or (self._closing and not was_closing), seconds)

    def _has_work(self) -> bool:
        """Wait for something to write; False when the sweep has ended and all of it is written."""
        with self._changed:
            if self._opened and not self._first_final():
                self._changed.wait_for(lambda: self._waiting or self._end or self._closing)
                self._changed.wait_for(lambda: self._end or self._closing, GATHER_S)
            return bool(self._waiting or self._end or not (self._opened or self._closing))

    def _write_next(self) -> None:
        if not self._opened:
            self._open()
        with self._changed:
            trial = self._first_final() or next(iter(self._waiting.values()), None)
        if trial:
            self._runs.write_trial(trial)
            self._forget(trial)
        elif self._end:
            self._runs.close(*self._end)
            self._end = None

    def _first_final(self) -> TrialView | None:
        """The first waiting trial that will not change any more."""
        return next((trial for trial in self._waiting.values() if trial.state.is_final), None)

    def _open(self) -> None:
        """Open the study's runs; the first time, queue the ended trials whose runs do not have their final state."""
        self._runs.open(self._before)
        with self._changed:
            if not self._looked_back:
                shown = self._runs.states
                ended = [trial for trial in self._before.trials if trial.state.is_final]
                behind = {trial.number: trial for trial in ended if shown.get(trial.number) != trial.state}
                self._waiting = {**behind, **self._waiting}
            self._looked_back = self._opened = True

    def _forget(self, trial: TrialView) -> None:
        """Remove a trial that was written; if it has changed meanwhile, queue it again behind the others."""
        with self._changed:
            newest = self._waiting.pop(trial.number)
            if newest is not trial:
                self._waiting[trial.number] = newest

    def _note(self, error: Exception, refused: bool = False) -> None:
        with self._changed:
            self.failures += 1
            self.last_failure = reason(error)
            self._refused |= refused
            self._changed.notify_all()


def update_tracking(study: StudyView, space: SearchSpace, uri: str | None = None) -> dict[str, Any]:
    """Write to MLflow what it does not show of a study, without a sweep; returns the account for summary.json."""
    with Tracker(study, space, uri) as tracker:
        tracker.finish(study, study.summary)
    return tracker.account()
