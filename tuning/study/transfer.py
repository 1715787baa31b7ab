"""Warm start: what a new study takes over from an older one, its source.

The new study tries the source's best configuration. Its sampler is given the source's trials that mean the same in the
new space: the data are the same, and the new space can draw the same configuration. They are judged by the constraints
of the new space. Optuna numbers them first, but they do not count as trials of the new study.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.states import State
from tuning.search.space import SearchSpace, broken
from tuning.study.storage import open_storage
from tuning.study.study import (
    N_ENQUEUED,
    N_TRANSFERRED,
    WARM_START,
    StudyView,
    enqueued_count,
    find_study,
    load_study,
)
from tuning.study.trial import TRANSFERRED_FROM

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FixedTrial

TRANSFERABLE = (State.COMPLETE, State.PRUNED, State.DIVERGED, State.OOM)


def source_for(space: SearchSpace, name: str) -> StudyView:
    """The older study. Raises UsageError if it does not exist, has no complete trial, or optimizes something else."""
    source = load_study(name)
    source.best()
    theirs, ours = source.space.aim_text, space.aim_text
    if theirs != ours:
        raise UsageError(
            f"--warm-start {name}: that study is to {theirs}, this space to {ours}; choose a study with the same metric"
        )
    return source


def transfer_trials(study: Study, space: SearchSpace, source: StudyView, data: Mapping[str, str]) -> int:
    """Add the trials of `source` that mean the same in `space` to a new Optuna study; returns how many.

    To be called before any other trial is added.
    """
    import optuna

    frozen = {trial.number: trial for trial in open_storage(find_study(source.name)).get_trials(deepcopy=False)}
    n_transferred = 0
    for trial in source.trials if dict(source.data) == dict(data) else ():
        if trial.state not in TRANSFERABLE or (same := _same_here(space, trial.config)) is None:
            continue
        violations = space.violations(trial.config, trial.metrics)
        if trial.state is State.COMPLETE and len(violations) < len(space.constraints):
            continue  # it did not report what the constraints need, so it may be infeasible here
        known, out = frozen[trial.number], broken(violations) is not None
        study.add_trial(
            optuna.create_trial(
                state=optuna.trial.TrialState.PRUNED if out else known.state,
                values=None if out else list(trial.values.values()) or None,
                params=same.params,
                distributions=same.distributions,
                intermediate_values=known.intermediate_values,
                constraints={"state": 1.0 if out else known.constraints["state"], **violations},
                user_attrs={TRANSFERRED_FROM: f"{source.name}/{trial.number}"},
            )
        )
        n_transferred += 1
    study.set_user_attr(N_TRANSFERRED, n_transferred)
    study.set_user_attr(WARM_START, source.name)
    return n_transferred


def enqueue_best(study: Study, space: SearchSpace, source: StudyView) -> None:
    """Enqueue the source's best configuration; parameters that only the new space has are drawn."""
    study.enqueue_trial(space.params(_values(space, source.best().config)))
    study.set_user_attr(N_ENQUEUED, enqueued_count(study) + 1)


def _same_here(space: SearchSpace, config: RunConfig) -> FixedTrial | None:
    """An Optuna trial whose parameters give this configuration in `space`; None if no parameters do."""
    import optuna

    trial = optuna.trial.FixedTrial(space.params(_values(space, config)))
    try:
        same = space.config(space.suggest(trial)) == config
    except (ValueError, UsageError):  # a parameter of the space has no value, or the values contradict each other
        return None
    return trial if same else None


def _values(space: SearchSpace, config: RunConfig) -> dict[str, Any]:
    return {key: config.get(key) for key in space.parameters}
