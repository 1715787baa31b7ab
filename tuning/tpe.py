"""Optuna's TPE, which proposes what it always does, with what it asks of finished trials at hand.

Each proposal looks at every trial, and Optuna's trials work out anew what they are asked for: with a thousand of them
that takes longer than the model does.
"""

from typing import Any
from weakref import WeakKeyDictionary

from optuna import Study
from optuna.samplers import TPESampler
from optuna.search_space.group_decomposed import _SearchSpaceGroup
from optuna.trial import FrozenTrial


class Tpe(TPESampler):  # type: ignore[misc]
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._group_decomposed_search_space._search_space = _Groups()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Any:
        return super().infer_relative_search_space(_Remembering(study), trial)

    def _sample(self, study: Study, trial: FrozenTrial, search_space: dict[str, Any]) -> Any:
        return super()._sample(_Remembering(study), trial, search_space)


class _Groups(_SearchSpaceGroup):  # type: ignore[misc]
    """Parameters that occur together. A trial that has the same ones as another changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[frozenset[str]] = set()

    def add_distributions(self, distributions: dict[str, Any]) -> None:
        names = frozenset(distributions)
        if names not in self._seen:
            self._seen.add(names)
            super().add_distributions(distributions)


class _Finished:
    """What TPE asks of a finished trial, which changes no more."""

    __slots__ = ("constraints", "distributions", "intermediate_values", "number", "params", "state", "value", "values")

    def __init__(self, trial: FrozenTrial) -> None:
        self.number, self.state = trial.number, trial.state
        self.params, self.distributions = trial.params, trial.distributions
        self.values, self.intermediate_values = trial.values, trial.intermediate_values
        self.value = self.values[0] if self.values else None
        self.constraints = trial.constraints


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
