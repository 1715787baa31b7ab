"""The one writer to MLflow: a thread of the driver.

It works from what is to be true rather than from what happened: a trial waits with the points that MLflow lacks and
the state that it should show, and stays until that is written. So a server that is away for a while loses nothing, a
dead one does not stop a sweep, and a resumed sweep brings up to date what an earlier one could not.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from podium.core.provenance import redact
from podium.core.records import Report
from tuning.events import Event
from tuning.space import SearchSpace
from tuning.study import StudyView, TrialView, view
from tuning.tracking import store
from tuning.tracking.runs import LOGGED, StudyRuns, now_ms
from tuning.tracking.store import Point

RUN_ID_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S, CLOSE_WHEN_DOWN_S = 30.0, 3.0
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass
class _Waiting:
    """A trial that MLflow does not show as it is."""

    trial: TrialView
    points: list[Point] = field(default_factory=list)


class Tracker:
    """Listens to a sweep and writes to MLflow. Leaving its context waits for what is still to be written."""

    def __init__(
        self, study: Any, space: SearchSpace, uri: str | None = None, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """`study` is Optuna's. Raises UsageError for a tracking URI that cannot be one."""
        self.failures = 0
        self.last_failure: str | None = None
        self._pause = pause
        self._metric = space.metric
        self._runs = StudyRuns(store.tracking_uri(uri), study.study_name, space, study.user_attrs.get("data", {}))
        self._earlier = [trial for trial in view(study).trials if trial.state.is_final]
        self._waiting: dict[int, _Waiting] = {}
        self._end: tuple[StudyView, Mapping[str, Any]] | None = None
        self._changed = threading.Condition()
        self._opened = self._down = self._closing = self._abandoned = False
        self._thread = threading.Thread(target=self._work, name="mlflow-writer", daemon=True)

    def __enter__(self) -> "Tracker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_WHEN_DOWN_S if self._down else CLOSE_TIMEOUT_S)
        self._abandoned = True

    def on_event(self, event: Event) -> None:
        with self._changed:
            waiting = self._waiting.setdefault(event.trial.number, _Waiting(event.trial))
            waiting.trial = event.trial
            if event.report:
                waiting.points += self._points(event.report)
            self._changed.notify_all()

    def finish(self, study: StudyView, summary: Mapping[str, Any]) -> None:
        """The sweep has ended: what the study's own run should show."""
        with self._changed:
            self._end = (study, summary)
            self._changed.notify_all()

    def run_id(self, number: int) -> str | None:
        """The trial's MLflow run; waits a moment for one that is being made. None while MLflow does not answer."""
        with self._changed:
            self._changed.wait_for(lambda: self._down or number in self._runs.run_ids, RUN_ID_TIMEOUT_S)
            return self._runs.run_ids.get(number)

    @property
    def unwritten(self) -> list[int]:
        """Trials that MLflow does not show as they are."""
        with self._changed:
            return sorted(self._waiting)

    def _points(self, report: Report) -> list[Point]:
        """What neither the trial's files nor the reports on record have: throughput, other scores."""
        known, now = (self._metric, *LOGGED.values()), now_ms()
        points = [(name, value, report.step, now) for name, value in report.metrics.items() if name not in known]
        return [*points, ("time/elapsed_s", report.elapsed_s, report.step, now)]

    # From here on, what the writer's thread does.

    def _work(self) -> None:
        n_failed = 0  # in a row
        while self._has_work():
            try:
                self._write_next()
            except Exception as error:  # noqa: BLE001  counted, shown and tried again; MLflow raises of every kind
                self._note(error)
                if self._abandoned:
                    return
                self._pause(BACK_OFF_S[min(n_failed, len(BACK_OFF_S) - 1)])
                n_failed += 1
            else:
                n_failed, self._down = 0, False

    def _has_work(self) -> bool:
        """Wait for something to write; False when the sweep has ended and all of it is written."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._end or self._closing or not self._opened)
            return bool(self._waiting or self._end or not (self._opened or self._closing))

    def _write_next(self) -> None:
        if not self._opened:
            self._open()
        with self._changed:
            trials = [waiting.trial for waiting in self._waiting.values()]
        for trial in trials:  # every new run before anything else: the searcher waits for their ids
            self._runs.open_trial(trial)
            with self._changed:
                self._changed.notify_all()
        if trials:
            self._write_trial(trials[0].number)
        elif self._end:
            self._runs.close(*self._end)
            self._end = None

    def _open(self) -> None:
        """Open the study's runs, and have those brought up to date that do not show what Optuna says."""
        self._runs.open()
        with self._changed:
            for trial in self._earlier:
                if self._runs.states.get(trial.number) != trial.state:
                    self._waiting.setdefault(trial.number, _Waiting(trial))
            self._opened = True

    def _write_trial(self, number: int) -> None:
        with self._changed:
            waiting = self._waiting[number]
            trial, points = waiting.trial, list(waiting.points)
        self._runs.write_trial(trial, points)
        with self._changed:
            del waiting.points[: len(points)]
            if waiting.trial is trial and not waiting.points:
                del self._waiting[number]

    def _note(self, error: Exception) -> None:
        with self._changed:
            self._down = True
            self.failures += 1
            self.last_failure = " ".join(redact(f"{type(error).__name__}: {error}").split())[:300]
            self._changed.notify_all()
