"""Optuna's TPE, which proposes what it always does, with what it asks of finished trials at hand.

Each proposal looks at every trial, and Optuna's trials work out anew what they are asked for: with a thousand of them
that takes longer than the model does.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from optuna import Study
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial


class Tpe(TPESampler):  # type: ignore[misc]
    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Any:
        return super().infer_relative_search_space(_Kinds(study), trial)

    def _sample(self, study: Study, trial: FrozenTrial, search_space: dict[str, Any]) -> Any:
        return super()._sample(_Remembering(study), trial, search_space)

    def _get_internal_repr(self, trials: Sequence[Any], search_space: dict[str, Any], study: Any) -> dict[str, Any]:
        """Parameter -> its values in the model, those of the trials that have all of these parameters."""
        rows = []
        for trial in trials:
            row = trial.row if isinstance(trial, _Finished) else _row(self._get_params(trial, study), search_space)
            if search_space.keys() <= row.keys():
                rows.append(row)
        return {name: np.asarray([row[name] for row in rows]) for name in search_space}


def _row(params: dict[str, Any], distributions: dict[str, Any]) -> dict[str, float]:
    """Parameters as the model has them: numbers, and the places of choices."""
    return {name: distributions[name].to_internal_repr(params[name]) for name in params.keys() & distributions.keys()}


class _Finished:
    """What TPE asks of a finished trial, which changes no more."""

    def __init__(self, trial: FrozenTrial) -> None:
        self.number, self.state, self.distributions = trial.number, trial.state, trial.distributions
        self.values, self.intermediate_values = trial.values, trial.intermediate_values
        self.value = self.values[0] if self.values else None
        self.constraints = trial.constraints
        self.row = _row(trial.params, trial.distributions)
        self.kind = frozenset(trial.distributions)


_finished: WeakKeyDictionary[Study, dict[int, _Finished]] = WeakKeyDictionary()  # by Optuna's id


class _Remembering:
    """A study with its finished trials so."""

    def __init__(self, study: Study) -> None:
        self._study, self._known = study, _finished.setdefault(study, {})

    def _get_trials(self, **options: Any) -> list[Any]:
        known = self._known
        return [known.get(trial._trial_id) or self._look(trial) for trial in self._study._get_trials(**options)]

    def _look(self, trial: FrozenTrial) -> Any:
        return self._known.setdefault(trial._trial_id, _Finished(trial)) if trial.state.is_finished() else trial

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)


class _Kinds(_Remembering):
    """With the first finished trial of each set of parameters alone: others change nothing in how they are grouped."""

    def _get_trials(self, **options: Any) -> list[Any]:
        kinds: dict[frozenset[str], Any] = {}
        for trial in super()._get_trials(**options):
            kinds.setdefault(trial.kind, trial)
        return list(kinds.values())
