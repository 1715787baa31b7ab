"""The bridge between Ray Tune and Optuna: Tune asks it for trials and passes it their results.

Optuna's storage is the single source of truth about trials. outcome.py decides how a trial ends.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from optuna.trial import Trial, TrialState
from ray.tune.search import Searcher

from podium.core.paths import study_dir
from podium.core.records import Report
from podium.core.states import State
from tuning.bridge.outcome import final_metrics, final_state, tell, unhandled_report
from tuning.protocol import Job, read_report
from tuning.search.samplers import sampler_for
from tuning.search.samplers.base import SamplerError
from tuning.search.space import SearchSpace
from tuning.search.target import misfit
from tuning.study import trial as attributes
from tuning.study.create import draw
from tuning.study.events import Event, Kind, Listener
from tuning.study.files import request_stop, stop_file
from tuning.study.study import enqueued_count, first_number, started_trials
from tuning.study.trial import TrialView, trial_view


class OptunaBridge(Searcher):  # type: ignore[misc]
    """Proposes the trials of the Optuna study `study` to Tune, and records their results.

    The study gets up to `limit` trials, including those of earlier sweeps. `listeners` are called for each event, after
    it is recorded.
    """

    def __init__(
        self,
        study: Any,
        space: SearchSpace,
        limit: int,
        listeners: Sequence[Listener] = (),
    ) -> None:
        super().__init__(metric=space.metric, mode=space.mode)
        self._study, self._space, self._limit = study, space, limit
        self._listeners = listeners
        self._folder = study_dir(study.study_name)
        asked = started_trials(study)
        self._n_asked = len(asked)
        self._first, self._n_enqueued = first_number(study), enqueued_count(study)
        if (size := space.sampler.size(space)) is not None:
            self._limit = min(limit, self._n_enqueued + size)
        self._to_resume = deque(trial for trial in asked if not trial.state.is_finished())
        self.confirm_failure: Callable[[float], None] = lambda _: (
            None
        )  # raises if the backend failed, and not the trial
        self._running: dict[str, tuple[Any, TrialView]] = {}  # Tune's trial id -> (Optuna trial, view)

    @property
    def n_trials_left(self) -> int:
        """Trials that this sweep will still start: those to resume, and new ones."""
        return len(self._to_resume) + max(0, self._limit - self._n_asked)

    @property
    def n_jobs(self) -> int:
        """How many jobs `suggest` will return."""
        return self.n_trials_left

    @property
    def n_initial_jobs(self) -> int:
        """How many jobs `suggest` can return before one of them has ended."""
        return self.n_trials_left

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The job of the next trial, or FINISHED."""
        if not stop_file(self._folder).exists() and (started := self._next_trial()):
            self._running[trial_id] = started
            return job_for(started[1]).to_config()
        return str(Searcher.FINISHED)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        report = read_report(result)
        self._notify("reported", self._record(trial_id, report), report)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """`result` is the trial's last; if its state is RUNNING, the scheduler stopped the trial."""
        if trial_id not in self._running:
            return
        report = read_report(result) if result and not error else None
        if report is None or report.state is State.FAILED:
            self.confirm_failure(report is None)
        view = self._record(trial_id, report) if report else self._running[trial_id][1]
        view = replace(view, metrics=final_metrics(report, view) if report else {})
        violations = self._space.violations(view.config, view.metrics) if report else {}
        state, reason = final_state(report, view, violations)
        optuna_trial, _ = self._running.pop(trial_id)
        value = view.reports.get(view.step) if state is State.COMPLETE else None
        for constraint, amount in violations.items():
            optuna_trial.set_constraint(constraint, amount)
        self._finish(optuna_trial, replace(view, state=state, reason=reason, value=value), report)

    def stop_rest(self) -> None:
        """Record the trials that still run as stopped, after the sweep has ended. A resume continues them."""
        for optuna_trial, view in self._running.values():
            self._finish(optuna_trial, replace(view, state=State.STOPPED))
        self._running.clear()

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: a resumed sweep makes a new bridge from Optuna's storage."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing, as `save`."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher with its own records, which are never read

    def _next_trial(self) -> tuple[Any, TrialView] | None:
        """The next trial that can start: one to resume, or a new one. Those that cannot start end as infeasible."""
        while started := self._resume_next() if self._to_resume else self._ask_next():
            trial, view = started
            self._notify("started", view)
            refusal = self._refusal(view)
            if refusal is None:
                return started
            self._finish(trial, replace(view, state=State.INFEASIBLE, reason=refusal))
        return None

    def _refusal(self, view: TrialView) -> str | None:
        """Why a trial cannot start: its values, or its size on the space's target. None if it can."""
        target = self._space.target
        refusal = self._space.refusal(view.overrides)
        return misfit(view.config, target) if refusal is None and target else refusal

    def _ask_next(self) -> tuple[Any, TrialView] | None:
        if self._n_asked >= self._limit:
            return None
        with self._sampler_may_fail():
            self._set_sampler(self._first + self._n_asked)
            trial = self._study.ask()
            self._n_asked += 1
            return trial, self._draw(trial)
        return None

    def _draw(self, trial: Any) -> TrialView:
        """Draw the parameters and record them with the trial, so that a resume need not draw them again."""
        trial.set_user_attr(attributes.OVERRIDES, draw(trial, self._space))
        return self._view(trial)

    def _resume_next(self) -> tuple[Any, TrialView] | None:
        """The next trial of an earlier sweep. Parameters not yet drawn get the values that sweep would have drawn."""
        from tuning.bridge.half_drawn import HalfDrawnTrial

        frozen = self._to_resume.popleft()
        with self._sampler_may_fail():
            self._set_sampler(frozen.number)
            trial = HalfDrawnTrial(self._study, frozen._trial_id)
            trial.set_user_attr(attributes.STATE, State.RUNNING)
            if attributes.REASON in frozen.user_attrs:  # why it was stopped
                trial.set_user_attr(attributes.REASON, None)
            return trial, self._view(trial) if attributes.OVERRIDES in frozen.user_attrs else self._draw(trial)
        return None

    @contextlib.contextmanager
    def _sampler_may_fail(self) -> Iterator[None]:
        """A sampler of the user's that raises here stops the sweep; a resume asks it again."""
        try:
            with self._space.sampler.reported():
                yield
        except SamplerError as error:
            self._stop_half_drawn(str(error))
            request_stop(self._folder, str(error), failed=True)

    def _stop_half_drawn(self, reason: str) -> None:
        """Record as stopped the trial whose parameters could not be drawn, so that it is not shown as running."""
        others = {view.number for _, view in self._running.values()} | {trial.number for trial in self._to_resume}
        for frozen in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            is_running = frozen.user_attrs.get(attributes.STATE, State.RUNNING) == State.RUNNING
            if is_running and frozen.number not in others:
                trial = Trial(self._study, frozen._trial_id)
                trial.set_user_attr(attributes.STATE, State.STOPPED)
                trial.set_user_attr(attributes.REASON, reason)

    def _set_sampler(self, number: int) -> None:
        index = number - self._first - self._n_enqueued
        self._study.sampler = sampler_for(self._space.sampler, self._space, number, index)

    def _view(self, trial: Any) -> TrialView:
        """A view of an Optuna trial from its cache: a query of the storage takes milliseconds."""
        return trial_view(trial._cached_frozen_trial, self._space, self._folder)

    def _record(self, trial_id: str, report: Report) -> TrialView:
        """Record a report. A repeated one, of a trial that restarted from its checkpoint, changes nothing."""
        optuna_trial, view = self._running[trial_id]
        value = report.metrics.get(self._space.metric)
        if value is not None and report.step not in view.reports:
            view = replace(view, reports={**view.reports, report.step: value})
            if self._space.objectives:  # Optuna takes intermediate values for one objective only
                optuna_trial.set_user_attr(attributes.REPORTS, view.reports)
            else:
                optuna_trial.report(value, report.step)
        view = replace(view, step=max(view.step, report.step))
        self._running[trial_id] = (optuna_trial, view)
        return view

    def _finish(self, trial: Any, view: TrialView, report: Report | None = None) -> None:
        self._tell(trial, view)
        self._notify("finished", view, report)

    def _tell(self, trial: Any, view: TrialView) -> None:
        """Record how the trial ended, then tell Optuna."""
        found = {
            attributes.STATE: view.state,
            attributes.STEP: view.step if view.step != self._view(trial).step else None,
            attributes.REASON: view.reason,
            attributes.METRICS: view.metrics or None,
        }
        for name, value in found.items():
            if value is not None:
                trial.set_user_attr(name, value)
        with self._sampler_may_fail():
            tell(self._study, trial, view)

    def _notify(self, kind: Kind, view: TrialView, report: Report | None = None) -> None:
        for listener in self._listeners:
            listener(Event(kind, view, report))


def job_for(view: TrialView) -> Job:
    """The job that runs a trial.

    The baseline is protected: it runs to the end, so that others can be compared with it at equal steps. Its reports
    count at the rungs like those of any other trial.
    """
    return Job(
        number=view.number,
        config=view.config,
        report_every_steps=view.space.report_every_steps,
        metric=view.space.metric,
        protected=view.baseline,
        reports=view.reports,
        last_report=unhandled_report(view),
    )
