"""The promotion gate: from a study to the one trial that may be locked."""

from podium.core.errors import UsageError
from podium.core.records import PromotionRecord
from podium.core.states import State
from tuning.study import StudyView, TrialView, load_study


def promote(study: str, trial: int | None = None) -> PromotionRecord:
    """The best complete trial of `study`, or trial number `trial`, as a record for the lock.

    Raises:
        UsageError: unknown study or trial, no complete trial, or the trial asked for is not complete.
    """
    view = load_study(study)
    return record(view, view.best() if trial is None else view.trial(trial))


def record(study: StudyView, trial: TrialView) -> PromotionRecord:
    """Raises UsageError unless the trial is complete: no other state has a score."""
    if trial.state is not State.COMPLETE or trial.value is None:
        why = f" ({trial.reason})" if trial.reason else ""
        raise UsageError(
            f"trial {trial.number} of study {study.name!r} is {trial.state}{why}, must be complete; "
            "promote another, or leave out --trial for the best"
        )
    return PromotionRecord(
        study=study.name,
        trial=trial.number,
        config=trial.config.model_dump(mode="json"),
        overrides=trial.overrides,
        metric=study.space.metric,
        direction=study.space.direction,
        value=trial.value,
        state=trial.state,
        mlflow_run_id=trial.mlflow_run_id,
    )
