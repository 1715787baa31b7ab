"""The objectives of a study: one metric, or several, whose result is a Pareto front of trials."""

import re
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from podium.core.config_sections import Section

Direction = Literal["maximize", "minimize"]
# The metrics in every report of a worker, and the direction that is better.
METRICS: dict[str, Direction] = {
    "dev/answer_correctness": "maximize",
    "dev/primary_score": "maximize",
    "dev/loss": "minimize",
    "train/loss": "minimize",
}
ITEM_S = "generate/item_s"  # the seconds in which an item was answered, with all its answers
ANSWERS_S = "plan/answers_s"  # in which a submission answers all its items, at that pace
SUBMISSION_S = "plan/submission_s"  # of a submission here: compilation, training and the answers to all its items
# The costs of a trial. A cost can be an objective beside a metric, but not the only or the first one.
COSTS: dict[str, Direction] = {
    "train/tokens_per_s": "maximize",
    "peak_memory_gb": "minimize",
    "elapsed_s": "minimize",
    "projected_submit_s": "minimize",
    SUBMISSION_S: "minimize",
}
OWN = re.compile(r"own/[A-Za-z_]\w*", re.ASCII)  # a metric that a training function of the user's own reports
MODES: dict[str, Direction] = {"max": "maximize", "min": "minimize"}


OR_OWN = ", or own/NAME with a training function of your own"


def is_own(name: Any) -> bool:
    """Whether a training function of the user's own reports it: `own/accuracy`. It has no natural direction."""
    return isinstance(name, str) and OWN.fullmatch(name) is not None


def is_metric(name: str) -> bool:
    """Whether trials can be compared by it."""
    return name in METRICS or is_own(name)


class Objective(Section):
    """One of several objectives; `mode` is the metric's natural one if it is not given."""

    metric: str
    mode: Literal["max", "min"]

    @model_validator(mode="before")
    @classmethod
    def _natural_mode(cls, values: Any) -> Any:
        if isinstance(values, dict) and "mode" not in values and not is_own(values.get("metric")):
            natural = {**METRICS, **COSTS}.get(str(values.get("metric")), "maximize")
            return {**values, "mode": natural.removesuffix("imize")}
        return values

    @model_validator(mode="after")
    def _is_reported(self) -> Self:
        if self.metric not in COSTS and not is_metric(self.metric):
            raise ValueError(f"metric={self.metric!r}, must be one of {', '.join((*METRICS, *COSTS))}{OR_OWN}")
        return self

    @property
    def direction(self) -> Direction:
        return MODES[self.mode]


def with_primary_metric(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a space with `metric` and `direction` set from the first of its `objectives`.

    Raises ValueError if they are given and differ, or if there are fewer than two objectives.
    """
    objectives = [Objective.model_validate(one) for one in values["objectives"]]
    names = [one.metric for one in objectives]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"objectives={names}, must be two or more different metrics; write a single one as `metric`")
    if not is_metric(names[0]):
        raise ValueError(
            f"objectives begin with {names[0]}, must begin with one of {', '.join(METRICS)}{OR_OWN}: "
            "schedulers use the first"
        )
    first = {"metric": names[0], "direction": objectives[0].direction}
    for name, value in first.items():
        if values.get(name, value) != value:
            raise ValueError(f"{name}={values[name]!r}, but the first of the objectives is {value!r}; leave {name} out")
    return {**values, **first}
