"""Budget profiles: the machine, session and weekly quota of a place where a submission runs (profiles.yaml).

The user's own profiles are in `profiles.yaml` of the workspace, in the same form; one of them replaces a shipped
profile of the same name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from podium.core.budgets.accelerators import Accelerator, accelerator
from podium.core.budgets.data_file import entries, shipped_entries
from podium.core.config import load_yaml
from podium.core.config_sections import Section
from podium.core.errors import UsageError
from podium.core.paths import workspace

FILE = "profiles.yaml"
HOUR_S = 3600.0
# The names that locks and configs of earlier versions have.
FORMER = {"kaggle-tpu": "kaggle-tpu-v5e-8", "kaggle-gpu": "kaggle-gpu-t4x2", "kaggle-l4x4": "kaggle-gpu-l4x4"}
# Kaggle accepts these ids and runs the session on another machine (kaggle 2.2.5).
RETIRED = {
    "nvidiateslap100": "Kaggle would run it on NvidiaTeslaT4; use kaggle-gpu-t4x2",
    "tpuv38": "Kaggle would run it on TpuV5E8; use kaggle-tpu-v5e-8",
    "tpu1vmv38": "Kaggle would run it on TpuV5E8; use kaggle-tpu-v5e-8",
    "tpuv232": "Kaggle would run it on a CPU; use kaggle-tpu-v5e-8",
    "tpuv2256": "Kaggle would run it on a CPU; use kaggle-tpu-v5e-8",
}


class Profile(Section):
    """Where a run takes place. `rate`: quota hours per hour of a session; 0 if nothing is metered."""

    name: str
    accelerator_name: str | None = Field(None, alias="accelerator")
    count: int | None = Field(None, ge=1, description="devices of the machine")
    session_h: float = Field(gt=0, le=24 * 31)
    reserve_s: float = Field(ge=0)
    quota: Literal["gpu", "tpu"] | None = None
    quota_h: float | None = Field(None, gt=0, le=24 * 7)
    rate: float = Field(ge=0)
    kaggle_id: str | None = None
    internet: bool = True
    sources: dict[str, str] = Field({}, description="of a figure: where it is from, and when it was read")

    @field_validator("accelerator_name")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                accelerator(name)
            except UsageError as error:
                raise ValueError(str(error)) from error
        return name

    @field_validator("kaggle_id")
    @classmethod
    def _is_not_retired(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                check_kaggle_id(name)
            except UsageError as error:
                raise ValueError(str(error)) from error
        return name

    @model_validator(mode="after")
    def _quota_is_whole(self) -> Self:
        if bool(self.rate) != (self.quota_h is not None):
            raise ValueError(f"rate={self.rate:g} with quota_h={self.quota_h}: give both, or rate: 0 alone")
        if (self.accelerator_name is None) != (self.count is None):
            raise ValueError(f"accelerator={self.accelerator_name} with count={self.count}: give both or none")
        return self

    @property
    def accelerator(self) -> Accelerator | None:
        return None if self.accelerator_name is None else accelerator(self.accelerator_name)

    @property
    def session_s(self) -> float:
        return self.session_h * HOUR_S

    @property
    def week_s(self) -> float | None:
        """Quota-seconds a week; None if nothing is metered."""
        return None if self.quota_h is None else self.quota_h * HOUR_S


def own_file() -> Path:
    """Where the user's own profiles are."""
    return workspace() / FILE


def profiles() -> Mapping[str, Profile]:
    """Every profile by its name. Raises UsageError for the user's file, with its path and the first problem."""
    own = own_file()
    return {
        **shipped_entries(FILE, Profile),
        **(entries(load_yaml(own), Profile, str(own)) if own.is_file() else {}),
    }


def load_profile(name: str, where: str = "budget.profile") -> Profile:
    """The profile `name`. Raises UsageError, which begins with `where` and lists the known ones."""
    known = profiles()
    found = known.get(name) or known.get(FORMER.get(name, ""))
    if found is None:
        check_kaggle_id(name)
        raise UsageError(f"{where}={name!r}, must be one of {', '.join(known)}; your own go into {own_file()}")
    return found


def check_kaggle_id(accelerator_id: str) -> None:
    """Raises UsageError for the id of a machine that Kaggle has retired, since it replaces one silently."""
    if instead := RETIRED.get(accelerator_id.lower()):
        raise UsageError(f"accelerator {accelerator_id!r} is retired; {instead}")
