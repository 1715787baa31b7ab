"""Scheduler `pbt`. `tuning/search/population.py` decides which trial copies which."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from tuning.search.schedulers.base import BaseOptions
from tuning.search.schedulers.none import NoScheduler

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler


class PbtScheduler(BaseOptions):
    """Population-based training: no trial ends early, but the worst continue from copies of the best."""

    name: Literal["pbt"] = "pbt"
    perturb_every_steps: int | None = Field(None, ge=1, description="report_every_steps if not given")
    quantile: float = Field(0.25, gt=0, le=0.5, description="the share that copies, and the share that is copied")
    resample_probability: float = Field(0.25, ge=0, le=1, description="of drawing a new random value")
    factors: tuple[float, float] = Field((0.8, 1.2), description="otherwise the value is multiplied by one of these")

    @field_validator("factors")
    @classmethod
    def _down_and_up(cls, factors: tuple[float, float]) -> tuple[float, float]:
        if not 0 < factors[0] < 1 < factors[1]:
            raise ValueError("must be one between 0 and 1, and one above 1")
        return factors

    def refusal(self, report_every_steps: int, max_steps: int) -> str | None:
        interval = self.interval(report_every_steps)
        if interval % report_every_steps == 0 and interval < max_steps:
            return None
        return (
            f"perturb_every_steps={interval}, must be a multiple of report_every_steps={report_every_steps} "
            f"and less than the {max_steps} steps of a trial"
        )

    def interval(self, report_every_steps: int) -> int:
        return self.perturb_every_steps or report_every_steps

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":
        """A Tune scheduler that stops nothing: the population's bridge decides before each part of a trial."""
        return NoScheduler().build(metric, mode, report_every_steps, max_steps)
