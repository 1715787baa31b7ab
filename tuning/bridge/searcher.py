"""The bridge between Ray Tune and Optuna: Tune asks it for trials and tells it what became of them.

Optuna's storage is the one truth. How our states are told to it:

    complete                    COMPLETE with the value
    pruned                      PRUNED with the intermediate values. Optuna takes none where there are several
                                objectives; those of the first are a user attribute then.
    diverged, infeasible, oom   PRUNED with the finite intermediate values and the constraint "state" = 1: infeasible.
                                So are trials that end with a constraint of the space broken; each of those constraints
                                is told to Optuna as well, by how much it is broken, for every trial that ran.
                                Telling FAIL would spoil the search, since TPE ignores failed trials and goes on
                                proposing beside the cliff (49 of 60 proposals diverged, against 19).
    failed                      FAIL: a crash says nothing about the configuration
    stopped                     nothing: the trial stays RUNNING there and a resume goes on with it
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ray.tune.search import Searcher

from podium.core.paths import study_dir
from podium.core.records import Report, read_record
from podium.core.states import State
from tuning.protocol import Job, read_report
from tuning.search.samplers import sampler_for
from tuning.search.space import SearchSpace, broken
from tuning.study import trial as attributes
from tuning.study.create import draw
from tuning.study.events import Event, Kind, Listener
from tuning.study.files import report_file, stop_file
from tuning.study.study import asked_trials, first_number, n_enqueued
from tuning.study.trial import TrialView, trial_view

AVOID = (State.DIVERGED, State.INFEASIBLE, State.OOM)  # the configuration's own fault


class OptunaBridge(Searcher):  # type: ignore[misc]
    """`study` is Optuna's; `limit` is how many trials the study shall have, those of earlier sweeps included.

    `listeners` are told what happens, after it is on record.
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
        begun = asked_trials(study)
        self._n_asked = len(begun)
        self._first, self._n_enqueued = first_number(study), n_enqueued(study)
        if (size := space.sampler.size(space)) is not None:
            self._limit = min(limit, self._n_enqueued + size)
        self._adopt = deque(trial for trial in begun if not trial.state.is_finished())
        self._live: dict[str, tuple[Any, TrialView]] = {}  # Tune's trial id -> (Optuna trial, view)

    @property
    def n_trials_left(self) -> int:
        """Trials that this sweep will run: the ones to go on with, and the new ones."""
        return len(self._adopt) + max(0, self._limit - self._n_asked)

    @property
    def n_to_run(self) -> int:
        """How often `suggest` will have a job."""
        return self.n_trials_left

    @property
    def n_at_once(self) -> int:
        """How many jobs it has before any is done."""
        return self.n_trials_left

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The job of the next trial, or FINISHED."""
        if not stop_file(self._folder).exists() and (begun := self._next_trial()):
            self._live[trial_id] = begun
            return job_of(begun[1]).to_config()
        return str(Searcher.FINISHED)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        report = read_report(result)
        self._emit("reported", self._record(trial_id, report), report)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """`result` is the last one; the scheduler ended the trial if that says that it was running."""
        if trial_id not in self._live:
            return
        report = read_report(result) if result and not error else None
        view = self._record(trial_id, report) if report else self._live[trial_id][1]
        view = replace(view, metrics=_facts(report, view) if report else {})
        violations = self._space.violations(view.config, view.metrics) if report else {}
        state, reason = _fate(report, view, violations)
        optuna_trial, _ = self._live.pop(trial_id)
        value = view.reports.get(view.step) if state is State.COMPLETE else None
        for constraint, by in violations.items():
            optuna_trial.set_constraint(constraint, by)
        self._finish(optuna_trial, replace(view, state=state, reason=reason, value=value), report)

    def stop_rest(self) -> None:
        """Mark what is still running as stopped, after the sweep has ended; a resume goes on with it."""
        for optuna_trial, view in self._live.values():
            self._finish(optuna_trial, replace(view, state=State.STOPPED))
        self._live.clear()

    def save(self, checkpoint_path: str) -> None:
        """Nothing: Optuna's storage holds everything, and a resumed sweep makes a new bridge on it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, as above."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher beside its own records, which we never read back

    def _next_trial(self) -> tuple[Any, TrialView] | None:
        """One of an earlier sweep or a new one that can begin; those that cannot are told on the way."""
        while begun := self._adopted() if self._adopt else self._asked():
            trial, view = begun
            refusal = self._space.refusal(view.overrides)
            self._emit("started", view)
            if refusal is None:
                return begun
            self._finish(trial, replace(view, state=State.INFEASIBLE, reason=refusal))
        return None

    def _asked(self) -> tuple[Any, TrialView] | None:
        if self._n_asked >= self._limit:
            return None
        self._set_sampler(self._first + self._n_asked)
        trial = self._study.ask()
        self._n_asked += 1
        return trial, self._draw(trial)

    def _draw(self, trial: Any) -> TrialView:
        """Draw the parameters and put them on record with the trial, so that a resume need not draw them again."""
        trial.set_user_attr(attributes.OVERRIDES, draw(trial, self._space))
        return self._view(trial)

    def _adopted(self) -> tuple[Any, TrialView]:
        """A trial that an earlier sweep began; what it had not drawn yet is drawn as it would have been."""
        import optuna

        frozen = self._adopt.popleft()
        self._set_sampler(frozen.number)
        trial = optuna.trial.Trial(self._study, frozen._trial_id)
        trial.set_user_attr(attributes.STATE, State.RUNNING)
        return trial, self._view(trial) if attributes.OVERRIDES in frozen.user_attrs else self._draw(trial)

    def _set_sampler(self, number: int) -> None:
        index = number - self._first - self._n_enqueued
        self._study.sampler = sampler_for(self._space.sampler, self._space, number, index)

    def _view(self, trial: Any) -> TrialView:
        """Of what Optuna's trial has at hand: asking its storage costs milliseconds."""
        return trial_view(trial._cached_frozen_trial, self._space, self._folder)

    def _record(self, trial_id: str, report: Report) -> TrialView:
        """Put a report on record; one that is there already (the trial went back to its checkpoint) changes nothing."""
        optuna_trial, view = self._live[trial_id]
        value = report.metrics.get(self._space.metric)
        if value is not None and report.step not in view.reports:
            view = replace(view, reports={**view.reports, report.step: value})
            if self._space.objectives:  # Optuna takes intermediate values of one objective only
                optuna_trial.set_user_attr(attributes.REPORTS, view.reports)
            else:
                optuna_trial.report(value, report.step)
        view = replace(view, step=max(view.step, report.step))
        self._live[trial_id] = (optuna_trial, view)
        return view

    def _finish(self, trial: Any, view: TrialView, report: Report | None = None) -> None:
        self._tell(trial, view)
        self._emit("finished", view, report)

    def _tell(self, trial: Any, view: TrialView) -> None:
        import optuna

        known = {
            attributes.STATE: view.state,
            attributes.STEP: view.step if view.step != self._view(trial).step else None,
            attributes.REASON: view.reason,
            attributes.METRICS: view.metrics or None,
        }
        for name, value in known.items():
            if value is not None:
                trial.set_user_attr(name, value)
        if view.state is State.STOPPED:
            return
        trial.set_constraint("state", 1.0 if view.state in AVOID else -1.0)
        if view.state is State.COMPLETE:
            self._study.tell(trial, list(view.values.values()))
        else:
            failed = view.state is State.FAILED
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.PRUNED)

    def _emit(self, kind: Kind, view: TrialView, report: Report | None = None) -> None:
        for listener in self._listeners:
            listener(Event(kind, view, report))


def job_of(view: TrialView) -> Job:
    """What a worker needs to know of a trial. The baseline is there to compare others with at equal steps, so it runs
    to the end whatever its score; its reports count at the rungs like any other's."""
    return Job(
        number=view.number,
        config=view.config,
        report_every_steps=view.space.report_every_steps,
        metric=view.space.metric,
        protected=view.baseline,
        reports=view.reports,
        last_report=_unheard(view),
    )


def _unheard(view: TrialView) -> Report | None:
    """The newest report of a trial that an earlier sweep ran: its driver may have died before it had acted on it."""
    path = report_file(view.dir.parents[1], view.number)
    if view.state is not State.RUNNING or not path.is_file():
        return None
    report = read_record(Report, path)
    return report if report.step >= max(view.reports, default=0) else None


def _facts(report: Report, view: TrialView) -> dict[str, float]:
    """What a trial's newest report says that constraints can be about.

    `projected_submit_s` is the training time of all its steps at the speed so far, its compilation included.
    """
    trained_s = max(0.0, report.elapsed_s - report.compile_s)
    projected_s = report.compile_s + trained_s / max(1, report.step) * view.config.train.max_steps
    return {"elapsed_s": report.elapsed_s, "projected_submit_s": projected_s, **report.metrics}


def _fate(report: Report | None, view: TrialView, violations: Mapping[str, float]) -> tuple[State, str | None]:
    """`violations` is by how much each constraint is broken, for those that could be checked."""
    if report is None:
        return State.FAILED, f"its clients died; max_failures={view.space.max_failures} retries were used up"
    if report.state is State.RUNNING:
        return State.PRUNED, f"the scheduler stopped it at step {report.step}"
    if report.state is not State.COMPLETE:
        return report.state, report.reason
    if report.step not in view.reports:
        return State.FAILED, f"it ended without a finite {view.space.metric}"
    if missing := [name for name, _ in view.space.aims[1:] if name not in view.metrics]:
        return State.FAILED, f"it ended without a finite {missing[0]}"
    if unknown := [text for text in view.space.constraints if text not in violations]:
        return State.FAILED, f"it reported too little to check the constraint {unknown[0]!r}"
    reason = broken(violations)
    return (State.INFEASIBLE, reason) if reason else (State.COMPLETE, report.reason)
