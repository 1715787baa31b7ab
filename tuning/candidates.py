"""What a promotion compares: the best complete trials of a study, and the base config."""

from dataclasses import dataclass
from typing import Any

from eval.sets.contamination import Contamination, contamination
from eval.sets.evalset import Evalset, load_evalset
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.paths import find_trainset
from podium.core.promotion import PromotionRecord
from podium.core.resolved import open_keys
from podium.core.run_files import CONFIG
from podium.core.states import State
from podium.core.wording import named
from tuning.search.objectives import SUBMISSION_S
from tuning.study.data import FUNCTION, data_hashes
from tuning.study.study import StudyView
from tuning.study.trial import TrialView, signed

SCORE = "dev/answer_correctness"  # what a sweep scored that the holdout scores, too, whatever metric it searched by


@dataclass(frozen=True)
class Configuration:
    """What is to be confirmed, or what it is compared with."""

    label: str  # `trial 7`, `baseline`, or `lock NAME`
    config: RunConfig
    trial: int | None = None
    sweep_score: float | None = None  # points on dev
    cost_s: float = 0.0  # of training it once


def baseline(study: StudyView) -> Configuration:
    """The base config; as its trial ran it, if there is one."""
    ran = [trial for trial in study.trials if trial.baseline and trial.state is State.COMPLETE]
    return _configuration(ran[0], "baseline") if ran else Configuration("baseline", study.space.base_config)


def candidates(study: StudyView, top: int, reference: Configuration) -> list[Configuration]:
    """The `top` best complete trials, best first, without one whose config is that of the reference.

    Raises:
        UsageError: no trial is complete, or none but the reference.
    """
    refuse_own_function(study)
    study.best()
    complete = [trial for trial in study.trials if trial.value is not None]
    ranked = sorted(complete, key=lambda trial: (signed(trial), -trial.number), reverse=True)
    found = [trial for trial in ranked if trial.run_config.hash != reference.config.hash]
    if not found:
        raise UsageError(
            f"study {study.name!r} has no complete trial but {reference.label}, which it is compared with; run more: "
            f"{study.command}"
        )
    return [candidate(trial) for trial in found[:top]]


def refuse_own_function(study: StudyView) -> None:
    """Raises UsageError for a study of a training function of the user's own, which no submission could run."""
    if FUNCTION in study.data:
        raise UsageError(
            f"study {study.name!r} was run with a training function of your own, and a submission runs Podium's "
            "trainer; use the values of `podium show` where that function is"
        )


def candidate(trial: TrialView) -> Configuration:
    return _configuration(trial, f"trial {trial.number}")


def _configuration(trial: TrialView, label: str) -> Configuration:
    return Configuration(
        label=label,
        config=trial.run_config,
        trial=trial.number,
        sweep_score=trial.metrics.get(SCORE, trial.value if trial.space.metric == SCORE else None),
        cost_s=trial.metrics.get("projected_submit_s", 0.0),
    )


def record(study: StudyView, trial: TrialView, overlap: str | None = None) -> PromotionRecord:
    """The record of this trial, without a verdict. `overlap` says why near-duplicates are no reason to refuse it.

    Raises:
        UsageError: the trial is not complete, its data have changed, or trainset and evalset overlap undeclared.
    """
    refuse_own_function(study)
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
        submission_s=trial.metrics.get(SUBMISSION_S, trial.metrics.get("projected_submit_s")),
        mlflow_run_id=trial.mlflow_run_id,
        contamination=_contamination(config, evalset, overlap),
        overlap=overlap,
    )


def _contamination(config: RunConfig, evalset: Evalset, declared: str | None) -> dict[str, Any]:
    """The overlap of trainset and evalset, for readers of the lock."""
    found = contamination(evalset, find_trainset(config.data.trainset))
    if declared is None:
        _refuse_overlap(found)
    return found.model_dump(mode="json", include={"n_items", "exact", "near", "ngram", "threshold"})


def _refuse_overlap(found: Contamination) -> None:
    ids = [*found.exact, *(near.id for near in found.near)]
    if ids:
        raise UsageError(
            f"{len(ids)} of {found.n_items} prompts of evalset {found.evalset!r} are in trainset {found.trainset!r}, "
            f"exactly or nearly ({named(ids)}); take them out of one of the two, or say why that is no matter: "
            "--overlap TEXT"
        )


def _refuse_changed_data(study: StudyView, config: RunConfig, evalset: Evalset) -> None:
    for key, value in data_hashes(evalset, [config.data.trainset]).items():
        known = study.data.get(key)
        if known != value:
            raise UsageError(
                f"{key} is {value[:12]}, was {(known or 'not recorded')[:12]} when study {study.name!r} ran; "
                "its scores do not apply to other data: restore the file, or sweep again"
            )
