"""What a study is after: one metric, or several that are weighed by nobody, so that a front of trials is the answer."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from podium.core.config_sections import Section

Direction = Literal["maximize", "minimize"]
# What a worker reports at every report, and the direction that is better.
METRICS: dict[str, Direction] = {
    "dev/answer_correctness": "maximize",
    "dev/primary_score": "maximize",
    "dev/loss": "minimize",
    "train/loss": "minimize",
}
# What a trial costs: an objective beside one of these, and not alone.
COSTS: dict[str, Direction] = {
    "train/tokens_per_s": "maximize",
    "peak_memory_gb": "minimize",
    "elapsed_s": "minimize",
    "projected_submit_s": "minimize",
}
MODES: dict[str, Direction] = {"max": "maximize", "min": "minimize"}


class Objective(Section):
    """One of several; `mode` is the natural one where it is not given."""

    metric: str
    mode: Literal["max", "min"]

    @model_validator(mode="before")
    @classmethod
    def _natural_mode(cls, values: Any) -> Any:
        if isinstance(values, dict) and "mode" not in values:
            natural = {**METRICS, **COSTS}.get(str(values.get("metric")), "maximize")
            return {**values, "mode": natural.removesuffix("imize")}
        return values

    @model_validator(mode="after")
    def _is_reported(self) -> Self:
        if self.metric not in {**METRICS, **COSTS}:
            raise ValueError(f"metric={self.metric!r}, must be one of {', '.join((*METRICS, *COSTS))}")
        return self

    @property
    def direction(self) -> Direction:
        return MODES[self.mode]


def with_primary_metric(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a space whose `metric` and `direction` are those of the first of its `objectives`.

    Raises ValueError where they say otherwise, or there are not several.
    """
    objectives = [Objective.model_validate(one) for one in values["objectives"]]
    names = [one.metric for one in objectives]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"objectives={names}, must be two or more different metrics; one is written as `metric`")
    if names[0] not in METRICS:
        raise ValueError(
            f"objectives begin with {names[0]}, must begin with one of {', '.join(METRICS)}: schedulers go by the first"
        )
    first = {"metric": names[0], "direction": objectives[0].direction}
    for name, value in first.items():
        if values.get(name, value) != value:
            raise ValueError(f"{name}={values[name]!r} beside objectives whose first is {value!r}; leave it out")
    return {**values, **first}
