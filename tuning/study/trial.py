"""A read-only view of one trial of a study, and the ranking of trials."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.core.config import RunConfig, load_config
from podium.core.errors import UsageError
from podium.core.files import read_json, read_text
from podium.core.resolved import open_keys, with_sizes_of
from podium.core.run_files import CONFIG
from podium.core.states import State
from tuning.search.population import Lineage
from tuning.search.space import SearchSpace
from tuning.study.files import MLFLOW_RUN_FILE, UNTRAINED_FILE, trial_dir

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# Optuna user attributes of a trial.
STATE, REASON, STEP, METRICS = "state", "reason", "step", "metrics"
OVERRIDES, BASELINE = "overrides", "baseline"
LINEAGE = "lineage"  # of a member of a population
REPORTS = "reports"  # step -> metric; with several objectives only, when Optuna takes no intermediate values
TRANSFERRED_FROM = "fed_from"  # STUDY/NUMBER, of a trial that comes from another study
UNFINISHED = (State.RUNNING, State.STOPPED)


@dataclass(frozen=True)
class TrialView:
    """One trial. `value` is its score; only a complete trial has one."""

    number: int
    state: State
    overrides: dict[str, Any]
    value: float | None
    step: int
    reports: dict[int, float]  # step -> metric
    dir: Path
    space: SearchSpace = field(repr=False)
    reason: str | None = None
    baseline: bool = False
    metrics: dict[str, float] = field(default_factory=dict, repr=False)  # of its last report, once it has ended
    population: Lineage | None = field(default=None, repr=False)  # of a member of a population that was changed

    @property
    def lineage(self) -> Lineage:
        """The origin of its weights: its own overrides, unless it has copied another trial."""
        return self.population or Lineage(root=self.overrides)

    @cached_property
    def config(self) -> RunConfig:
        """The config of the one run that trains the same weights: base config and overrides.

        After a copy these are the overrides of the trial that was copied, and the changes since. Raises UsageError if
        the values contradict each other (such a trial is infeasible).
        """
        return self.lineage.config(self.space)

    @property
    def run_config(self) -> RunConfig:
        """`config` with the sizes that its worker found for each `auto`. Unchanged before it has begun."""
        found = self.dir / CONFIG
        return (
            with_sizes_of(self.config, load_config(found))
            if open_keys(self.config) and found.is_file()
            else self.config
        )

    @property
    def newest_overrides(self) -> dict[str, Any]:
        """The overrides that it trains with now, or trained with at its end."""
        mutations = self.lineage.mutations
        return mutations[-1].overrides if mutations else self.overrides

    @property
    def values(self) -> dict[str, float]:
        """The value of every objective, `value` first. Empty unless the trial is complete."""
        if self.value is None:
            return {}
        others = [name for name, _ in self.space.aims[1:]]
        return {self.space.metric: self.value, **{name: self.metrics[name] for name in others}}

    @property
    def untrained(self) -> dict[str, float]:
        """The scores of its model before the first step, by metric; empty unless its config is the base config, and if
        the file is damaged."""
        with contextlib.suppress(UsageError):
            found = read_json(self.dir / UNTRAINED_FILE)
            return (
                found
                if isinstance(found, dict) and all(isinstance(value, float | int) for value in found.values())
                else {}
            )
        return {}

    @property
    def mlflow_run_id(self) -> str | None:
        """The id of its MLflow run; None if MLflow does not have the trial yet, or if the file is damaged."""
        with contextlib.suppress(UsageError):
            run_id = read_text(self.dir / MLFLOW_RUN_FILE).strip()
            return run_id if run_id.isalnum() and run_id.isascii() else None
        return None


def trial_view(trial: FrozenTrial, space: SearchSpace, folder: Path) -> TrialView:
    """The view of an Optuna trial of the study in `folder`."""
    known = trial.user_attrs
    state = State(known.get(STATE, State.RUNNING))
    if state is State.COMPLETE and trial.values is None:
        # The state is written before the values; a reader may look, or the driver be killed, in between.
        state = State.RUNNING
    overrides = known.get(OVERRIDES, {})
    reports = trial.intermediate_values or {int(step): value for step, value in known.get(REPORTS, {}).items()}
    return TrialView(
        number=trial.number,
        state=state,
        overrides=overrides,
        value=trial.values[0] if state is State.COMPLETE and trial.values else None,
        step=known.get(STEP, max(reports, default=0)),
        reports=dict(sorted(reports.items())),
        dir=trial_dir(folder, trial.number),
        space=space,
        reason=known.get(REASON),
        baseline=known.get(BASELINE, False),
        metrics=known.get(METRICS, {}),
        population=Lineage.model_validate(known[LINEAGE]) if LINEAGE in known else None,
    )


def signed(trial: TrialView) -> tuple[float, ...]:
    """A complete trial's values in the order of the objectives, with the signs changed so that larger is better."""
    directions = dict(trial.space.aims)
    return tuple(value if directions[name] == "maximize" else -value for name, value in trial.values.items())


def front(trials: Iterable[TrialView]) -> list[TrialView]:
    """The Pareto front: the complete trials that no other dominates.

    One trial dominates another if it is at least as good in every objective and better in one.
    """
    complete = [(signed(trial), trial) for trial in trials if trial.value is not None]
    return [
        trial
        for mine, trial in complete
        if not any(its != mine and all(a >= b for a, b in zip(its, mine, strict=True)) for its, _ in complete)
    ]


def best_of(trials: Iterable[TrialView]) -> TrialView | None:
    """The complete trial with the best value of the first objective; None if none is complete.

    Ties are broken by the other objectives, then by the lower number.
    """
    complete = [trial for trial in trials if trial.value is not None]
    return max(complete, key=lambda trial: (signed(trial), -trial.number), default=None)


def direction_sign(trial: TrialView) -> int:
    return 1 if trial.space.direction == "maximize" else -1


def trial_as_dict(trial: TrialView) -> dict[str, Any]:
    """The trial as plain values: what `podium trials --json` prints."""
    return {
        "trial": trial.number,
        "state": str(trial.state),
        "value": trial.value,
        "step": trial.step,
        "baseline": trial.baseline,
        "reason": trial.reason,
        "overrides": dict(trial.overrides),
        "metrics": dict(trial.metrics),
        "mutations": [mutation.model_dump(mode="json") for mutation in trial.lineage.mutations],
    }
