"""The section `workers` of a search space: how many workers a sweep has, and the devices of each."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from podium.core import settings
from podium.core.config import first_problem
from podium.core.config_sections import Section
from podium.core.errors import UsageError

CHIPS = (1, 2, 4, 8)  # per process; Ray and libtpu support no other shapes


class Workers(Section):
    """How the devices are divided among the workers. In a file, a number or `auto` is short for the count."""

    count: Literal["auto"] | int = Field("auto", description="on all machines; auto is as many as they can hold")
    cores: int | None = Field(None, ge=1, description="CPU cores per worker, if there is no accelerator")
    chips: int = Field(1, description="TPU chips per worker: 1, 2, 4 or 8")

    @model_validator(mode="before")
    @classmethod
    def _read_count(cls, value: Any) -> Any:
        return {"count": value} if isinstance(value, int | str) else value

    @model_validator(mode="after")
    def _check(self) -> "Workers":
        if isinstance(self.count, int) and self.count < 1:
            raise ValueError(f"workers={self.count}, must be auto or >= 1")
        if self.chips not in CHIPS:
            raise ValueError(f"chips={self.chips}, must be 1, 2, 4 or 8")
        return self


def parse_workers(value: "Workers | Mapping[str, Any] | int | str") -> Workers:
    """A number, `auto`, or a mapping of count, cores and chips. Raises UsageError."""
    try:
        return Workers.model_validate(value)
    except ValidationError as error:
        raise UsageError(f"workers: {first_problem(error)}") from error


def with_setting(workers: Workers) -> Workers:
    """The workers of a space, with the number of the setting `workers` if the space leaves it `auto`."""
    number = settings.get("workers") or "auto"
    if workers.count != "auto" or number == "auto":
        return workers
    return workers.model_copy(update={"count": int(number)})
