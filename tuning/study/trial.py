"""One trial of a study as everybody sees it, and which of several is best."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from podium.core.config import RunConfig
from podium.core.files import read_text
from podium.core.states import State
from tuning.search.population import Lineage
from tuning.search.space import SearchSpace
from tuning.study.files import trial_dir

# Optuna user attributes of a trial.
STATE, REASON, STEP, METRICS = "state", "reason", "step", "metrics"
OVERRIDES, BASELINE = "overrides", "baseline"
LINEAGE = "lineage"  # of a member of a population
REPORTS = "reports"  # step -> metric, where Optuna takes none because there are several objectives
FED_FROM = "fed_from"  # of a trial that is another study's
MLFLOW_RUN_FILE = "mlflow_run_id"  # in a trial's folder, written by the tracker
UNFINISHED = (State.RUNNING, State.STOPPED)


@dataclass(frozen=True)
class TrialView:
    """What is known of one trial. `value` is its score, and only a complete trial has one."""

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
    population: Lineage | None = field(default=None, repr=False)  # of a member of one, once something befell it

    @property
    def lineage(self) -> Lineage:
        """Where its parameters come from: its own overrides, unless it has copied another trial."""
        return self.population or Lineage(root=self.overrides)

    @cached_property
    def config(self) -> RunConfig:
        """The config of the one run that has its parameters: base config and overrides, and for who copied another
        that one's overrides and the changes since. Raises UsageError where they do not go together (such a trial is
        infeasible)."""
        return self.lineage.config(self.space)

    @property
    def newest_overrides(self) -> dict[str, Any]:
        """What it trains with now, or did at its end."""
        mutations = self.lineage.mutations
        return mutations[-1].overrides if mutations else self.overrides

    @property
    def values(self) -> dict[str, float]:
        """Of a complete trial: every objective's, `value` first. Empty otherwise."""
        if self.value is None:
            return {}
        others = [name for name, _ in self.space.aims[1:]]
        return {self.space.metric: self.value, **{name: self.metrics[name] for name in others}}

    @property
    def mlflow_run_id(self) -> str | None:
        """None where MLflow has not taken the trial yet."""
        path = self.dir / MLFLOW_RUN_FILE
        return read_text(path).strip() if path.is_file() else None


def trial_view(trial: Any, space: SearchSpace, folder: Path) -> TrialView:
    """A view of an Optuna FrozenTrial."""
    known = trial.user_attrs
    state = State(known.get(STATE, State.RUNNING))
    if state is State.COMPLETE and trial.values is None:
        state = State.RUNNING  # its state is written before it is told, and somebody looks, or a kill came, in between
    overrides = known.get(OVERRIDES, {})
    reports = trial.intermediate_values or {int(step): value for step, value in known.get(REPORTS, {}).items()}
    return TrialView(
        number=trial.number,
        state=state,
        overrides=overrides,
        value=trial.values[0] if state is State.COMPLETE else None,
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
    """A complete trial's values, in the order of the objectives, turned so that larger is better."""
    directions = dict(trial.space.aims)
    return tuple(value if directions[name] == "maximize" else -value for name, value in trial.values.items())


def front(trials: Iterable[TrialView]) -> list[TrialView]:
    """The complete trials that none other beats (Pareto): at least as good in every objective, and better in one."""
    complete = [(signed(trial), trial) for trial in trials if trial.value is not None]
    return [
        trial
        for mine, trial in complete
        if not any(its != mine and all(a >= b for a, b in zip(its, mine, strict=True)) for its, _ in complete)
    ]


def best_of(trials: Iterable[TrialView]) -> TrialView | None:
    """The complete trial with the best value; of equals the one that other objectives favour, then the first."""
    complete = [trial for trial in trials if trial.value is not None]
    return max(complete, key=lambda trial: (signed(trial), -trial.number), default=None)


def direction_sign(trial: TrialView) -> int:
    return 1 if trial.space.direction == "maximize" else -1


def trial_row(trial: TrialView) -> dict[str, Any]:
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
