"""How a trial ends: its final state, from its last report, and what Optuna is told about it.

A new reason for a trial to end gets a state in `podium.core.states`, a line in `final_state` unless the trial reports
it, and a place in this table:

    complete                    COMPLETE with the value
    pruned                      PRUNED with the intermediate values. With several objectives Optuna takes none, and
                                those of the first objective are a user attribute.
    diverged, infeasible, oom   PRUNED with the finite intermediate values, and the constraint "state" = 1: infeasible.
    failed                      FAIL: a crash says nothing about the configuration
    stopped                     nothing: the trial stays RUNNING, and a resume continues it

A trial that ends with a constraint of the space broken is infeasible. For every trial that ran, Optuna is told by how
much each constraint is broken.
"""

from collections.abc import Mapping
from typing import Any

from podium.core.records import Report, read_record
from podium.core.states import State
from tuning.search.objectives import ANSWERS_S, SUBMISSION_S
from tuning.search.space import broken
from tuning.study.files import report_file
from tuning.study.trial import TrialView

# The configuration is the cause, so the sampler has to avoid it. Telling FAIL would spoil the search: TPE ignores
# failed trials and continues to propose beside the cliff (49 of 60 proposals diverged, against 19).
AVOIDED_STATES = (State.DIVERGED, State.INFEASIBLE, State.OOM)


def final_state(report: Report | None, view: TrialView, violations: Mapping[str, float]) -> tuple[State, str | None]:
    """The state of a trial that has ended, and the reason.

    `report` is its last one: None if its clients died, RUNNING if the scheduler stopped it. `violations` is by how much
    each constraint is broken, for the constraints that could be checked.
    """
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


def final_metrics(report: Report, view: TrialView) -> dict[str, float]:
    """The metrics of a trial's last report, with the times that constraints and the plan of a submission need.

    `projected_submit_s` is the training time of all its steps at the speed so far, with its compilation; SUBMISSION_S
    has the time of all answers, too.
    """
    trained_s = max(0.0, report.elapsed_s - report.compile_s)
    projected_s = report.compile_s + trained_s / max(1, report.step) * view.config.steps
    times = {"elapsed_s": report.elapsed_s, "compile_s": report.compile_s, "projected_submit_s": projected_s}
    answers_s = report.metrics.get(ANSWERS_S)
    whole = {} if answers_s is None else {SUBMISSION_S: projected_s + answers_s}
    return {**times, **whole, **report.metrics}


def tell(study: Any, trial: Any, view: TrialView) -> None:
    """Tell an Optuna study that `trial` has ended, as the table above says."""
    import optuna

    if view.state is State.STOPPED:
        return
    trial.set_constraint("state", 1.0 if view.state in AVOIDED_STATES else -1.0)
    if view.state is State.COMPLETE:
        study.tell(trial, list(view.values.values()))
    else:
        failed = view.state is State.FAILED
        study.tell(trial, state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.PRUNED)


def unhandled_report(view: TrialView) -> Report | None:
    """The newest report of a trial that an earlier sweep left running, if its driver may not have acted on it."""
    path = report_file(view.dir.parents[1], view.number)
    if view.state is not State.RUNNING or not path.is_file():
        return None
    report = read_record(Report, path)
    return report if report.step >= max(view.reports, default=0) else None
