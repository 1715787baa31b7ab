"""Scheduler `none`."""

from typing import TYPE_CHECKING, Literal

from tuning.search.schedulers.base import BaseOptions

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler


class NoScheduler(BaseOptions):
    """Every trial runs to the end."""

    name: Literal["none"] = "none"

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":  # noqa: ARG002
        from ray.tune.schedulers import FIFOScheduler

        return FIFOScheduler()
