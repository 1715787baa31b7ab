"""Optuna's TPE with a cache of the finished trials; it proposes exactly what Optuna's does.

TPE looks at every trial for each proposal, and Optuna recomputes the trials' properties at each access. With a thousand
trials that takes longer than the model itself.
"""

from collections.abc import Sequence
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial


class CachedTpe(TPESampler):
    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return super().infer_relative_search_space(cast("Study", _OneTrialPerParameterSet(study)), trial)

    def _sample(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        return super()._sample(cast("Study", _CachedStudy(study)), trial, search_space)

    def _get_internal_repr(
        self, trials: Sequence[Any], search_space: dict[str, BaseDistribution], study: Study
    ) -> dict[str, Any]:
        """Parameter -> its internal values, over the trials that have every parameter of `search_space`."""
        found = []
        for trial in trials:
            if isinstance(trial, _FinishedTrial):
                values = trial.internal_values
            else:
                values = _internal_values(self._get_params(trial, study), search_space)
            if search_space.keys() <= values.keys():
                found.append(values)
        return {name: np.asarray([values[name] for values in found]) for name in search_space}


def _internal_values(params: dict[str, Any], distributions: dict[str, BaseDistribution]) -> dict[str, float]:
    """Parameters as TPE models them: numbers, and the indices of choices."""
    return {name: distributions[name].to_internal_repr(params[name]) for name in params.keys() & distributions.keys()}


class _FinishedTrial:
    """The properties that TPE reads of a finished trial; they no longer change."""

    def __init__(self, trial: FrozenTrial) -> None:
        self.number, self.state, self.distributions = trial.number, trial.state, trial.distributions
        self.values, self.intermediate_values = trial.values, trial.intermediate_values
        self.value = self.values[0] if self.values else None
        self.constraints = trial.constraints
        self.internal_values = _internal_values(trial.params, trial.distributions)
        self.parameter_set = frozenset(trial.distributions)


_finished: WeakKeyDictionary[Study, dict[int, _FinishedTrial]] = WeakKeyDictionary()  # by Optuna's trial id


class _CachedStudy:
    """A study whose finished trials are cached."""

    def __init__(self, study: Study) -> None:
        self._study, self._cache = study, _finished.setdefault(study, {})

    def _get_trials(self, **options: Any) -> list[Any]:
        cache = self._cache
        return [cache.get(trial._trial_id) or self._cached(trial) for trial in self._study._get_trials(**options)]

    def _cached(self, trial: FrozenTrial) -> Any:
        return self._cache.setdefault(trial._trial_id, _FinishedTrial(trial)) if trial.state.is_finished() else trial

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)


class _OneTrialPerParameterSet(_CachedStudy):
    """A study that shows only the first finished trial of each set of parameters: more do not change the groups that
    TPE infers."""

    def _get_trials(self, **options: Any) -> list[Any]:
        first: dict[frozenset[str], Any] = {}
        for trial in super()._get_trials(**options):
            first.setdefault(trial.parameter_set, trial)
        return list(first.values())
