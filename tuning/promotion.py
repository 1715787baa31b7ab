"""The promotion gate: from a study to the one trial that may be locked."""

from typing import Any

from eval.sets.contamination import contamination
from eval.sets.evalset import load_evalset
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.paths import find_trainset
from podium.core.records import PromotionRecord
from podium.core.states import State
from tuning.study.data import data_hashes
from tuning.study.study import StudyView, load_study
from tuning.study.trial import TrialView


def promote(study: str, trial: int | None = None) -> PromotionRecord:
    """The best complete trial of `study`, or trial number `trial`, as a record for the lock.

    Raises:
        UsageError: unknown study or trial, no complete trial, the trial asked for is not complete, or the data are no
            longer what it was trained and scored on.
    """
    view = load_study(study)
    return record(view, view.best() if trial is None else view.trial(trial))


def record(study: StudyView, trial: TrialView) -> PromotionRecord:
    """Raises UsageError unless the trial is complete (no other state has a score) and its data are as they were."""
    if trial.state is not State.COMPLETE or trial.value is None:
        why = f" ({trial.reason})" if trial.reason else ""
        raise UsageError(
            f"trial {trial.number} of study {study.name!r} is {trial.state}{why}, must be complete; "
            "promote another, or leave out --trial for the best"
        )
    _refuse_changed_data(study, trial.config)
    return PromotionRecord(
        study=study.name,
        trial=trial.number,
        config=trial.config.model_dump(mode="json"),
        overrides=trial.lineage.root,
        metric=study.space.metric,
        direction=study.space.direction,
        value=trial.value,
        state=trial.state,
        mlflow_run_id=trial.mlflow_run_id,
        contamination=_contamination(trial.config),
    )


def _contamination(config: RunConfig) -> dict[str, Any]:
    """A fact for whoever reads the lock: near-duplicates are no reason to refuse, and none to stay silent."""
    found = contamination(load_evalset(config.eval.evalset), find_trainset(config.data.trainset))
    return found.model_dump(mode="json", include={"n_items", "exact", "near", "ngram", "threshold"})


def _refuse_changed_data(study: StudyView, config: RunConfig) -> None:
    for key, value in data_hashes(config).items():
        known = study.data.get(key)
        if known != value:
            raise UsageError(
                f"{key} is {value[:12]}, was {(known or 'not recorded')[:12]} when study {study.name!r} ran; "
                "its scores say nothing about other data: put the file back, or sweep again"
            )
