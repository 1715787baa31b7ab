"""The promotion gate: which trial of a study may be locked."""

from typing import Any

from eval.sets.contamination import contamination
from eval.sets.evalset import Evalset, load_evalset
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.paths import find_trainset
from podium.core.records import PromotionRecord
from podium.core.resolved import open_keys
from podium.core.run_files import CONFIG
from podium.core.states import State
from tuning.study.data import data_hashes
from tuning.study.study import StudyView, load_study
from tuning.study.trial import TrialView


def promote(study: str, trial: int | None = None) -> PromotionRecord:
    """The best complete trial of `study`, or trial number `trial`, as a record for the lock.

    Raises:
        UsageError: unknown study or trial, no complete trial, the chosen trial is not complete, or the data have
            changed since it was trained and scored.
    """
    view = load_study(study)
    return record(view, view.best() if trial is None else view.trial(trial))


def record(study: StudyView, trial: TrialView) -> PromotionRecord:
    """The record of this trial. Raises UsageError unless the trial is complete and its data are unchanged."""
    if trial.state is not State.COMPLETE or trial.value is None:
        why = f" ({trial.reason})" if trial.reason else ""
        raise UsageError(
            f"trial {trial.number} of study {study.name!r} is {trial.state}{why}, must be complete; "
            "promote another, or leave out --trial for the best"
        )
    if open_keys(trial.config) and not (trial.dir / CONFIG).is_file():
        raise UsageError(
            f"{trial.dir / CONFIG} is missing, which has the trial's {', '.join(open_keys(trial.config))}; "
            f"`podium repair {study.name}` takes it from a checkpoint, or promote another trial"
        )
    config = trial.run_config
    evalset = load_evalset(config.eval.evalset)
    _refuse_changed_data(study, config, evalset)
    return PromotionRecord(
        study=study.name,
        trial=trial.number,
        config=config.model_dump(mode="json"),
        overrides=trial.lineage.root,
        metric=study.space.metric,
        direction=study.space.direction,
        value=trial.value,
        state=trial.state,
        mlflow_run_id=trial.mlflow_run_id,
        contamination=_contamination(config, evalset),
    )


def _contamination(config: RunConfig, evalset: Evalset) -> dict[str, Any]:
    """The overlap of trainset and evalset, for readers of the lock; near-duplicates do not prevent the promotion."""
    found = contamination(evalset, find_trainset(config.data.trainset))
    return found.model_dump(mode="json", include={"n_items", "exact", "near", "ngram", "threshold"})


def _refuse_changed_data(study: StudyView, config: RunConfig, evalset: Evalset) -> None:
    for key, value in data_hashes(evalset, [config.data.trainset]).items():
        known = study.data.get(key)
        if known != value:
            raise UsageError(
                f"{key} is {value[:12]}, was {(known or 'not recorded')[:12]} when study {study.name!r} ran; "
                "its scores do not apply to other data: restore the file, or sweep again"
            )
