"""Warm start: what an older study has learned, for a new one.

Its best configuration is tried, and its trials are shown to the sampler where they say something about the new space:
where the same configuration, on the same data, would be drawn here, judged by the constraints of the new space. Those
keep the first numbers of the new study, and are not trials of it.
"""

from collections.abc import Mapping
from typing import Any

from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.states import State
from tuning.search.space import SearchSpace, broken
from tuning.study.storage import open_storage
from tuning.study.study import ENQUEUED, FED, WARM_START, StudyView, existing, load_study, n_enqueued
from tuning.study.trial import FED_FROM

TOLD = (State.COMPLETE, State.PRUNED, State.DIVERGED, State.OOM)


def source_for(space: SearchSpace, name: str) -> StudyView:
    """The older study. Raises UsageError where there is none, none of its trials is complete, or it has another aim."""
    source = load_study(name)
    source.best()
    theirs, ours = source.space.aim_text, space.aim_text
    if theirs != ours:
        raise UsageError(f"--warm-start {name}: that study is to {theirs}, this space to {ours}; their scores differ")
    return source


def feed(study: Any, space: SearchSpace, source: StudyView, data: Mapping[str, str]) -> int:
    """Add the trials of `source` that say something here to a new Optuna study, before any other; returns how many."""
    import optuna

    frozen = {trial.number: trial for trial in open_storage(existing(source.name)).get_trials(deepcopy=False)}
    n_fed = 0
    for trial in source.trials if dict(source.data) == dict(data) else ():
        if trial.state not in TOLD or (same := _same_here(space, trial.config)) is None:
            continue
        violations = space.violations(trial.config, trial.metrics)
        if trial.state is State.COMPLETE and len(violations) < len(space.constraints):
            continue  # nobody knows whether it would count here
        known, out = frozen[trial.number], broken(violations) is not None
        study.add_trial(
            optuna.create_trial(
                state=optuna.trial.TrialState.PRUNED if out else known.state,
                values=None if out else list(trial.values.values()) or None,
                params=same.params,
                distributions=same.distributions,
                intermediate_values=known.intermediate_values,
                constraints={"state": 1.0 if out else known.constraints["state"], **violations},
                user_attrs={FED_FROM: f"{source.name}/{trial.number}"},
            )
        )
        n_fed += 1
    study.set_user_attr(FED, n_fed)
    study.set_user_attr(WARM_START, source.name)
    return n_fed


def enqueue_best(study: Any, space: SearchSpace, source: StudyView) -> None:
    """Have the new study try the older one's best: what of it the new space has, the rest drawn."""
    study.enqueue_trial(space.params(_values(space, source.best().config)))
    study.set_user_attr(ENQUEUED, n_enqueued(study) + 1)


def _same_here(space: SearchSpace, config: RunConfig) -> Any:
    """An Optuna trial that is told what makes this configuration in the space; None where nothing does."""
    import optuna

    trial = optuna.trial.FixedTrial(space.params(_values(space, config)))
    try:
        same = space.config(space.suggest(trial)) == config
    except (ValueError, UsageError):  # it lacks one that is drawn here, or the values do not go together
        return None
    return trial if same else None


def _values(space: SearchSpace, config: RunConfig) -> dict[str, Any]:
    return {key: config.get(key) for key in space.parameters}
