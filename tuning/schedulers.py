"""Schedulers: which trials go on. One class each, holding its options and building Ray Tune's object.

The resource is training steps, and every trial's learning-rate schedule spans all of them: stopping at a rung is a
truncation.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag

from podium.core.config import Section
from tuning.variants import variant_name

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

STEP = "step"  # the key of a Tune result that counts the resource


class NoScheduler(Section):
    """Every trial runs to the end."""

    name: Literal["none"] = "none"

    def first_rung(self, report_every_steps: int) -> int | None:  # noqa: ARG002
        return None

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":  # noqa: ARG002
        from ray.tune.schedulers import FIFOScheduler

        return FIFOScheduler()


class AshaScheduler(Section):
    """Asynchronous successive halving (Li et al. 2018, arXiv 1810.05934)."""

    name: Literal["asha"] = "asha"
    grace_period: int | None = Field(None, ge=1, description="steps at the first rung; one report's when not given")
    reduction_factor: float = Field(3, gt=1, description="one trial in this many goes on from a rung to the next")

    def first_rung(self, report_every_steps: int) -> int | None:
        return self.grace_period or report_every_steps

    def build(self, metric: str, mode: str, report_every_steps: int, max_steps: int) -> "TrialScheduler":
        return _asha_class()(
            time_attr=STEP,
            metric=metric,
            mode=mode,
            max_t=max_steps,
            grace_period=self.first_rung(report_every_steps),
            reduction_factor=self.reduction_factor,
        )


Scheduler = Annotated[
    Annotated[AshaScheduler, Tag("asha")] | Annotated[NoScheduler, Tag("none")],
    Discriminator(variant_name, custom_error_type="scheduler", custom_error_message="must be one of asha, none"),
]


def _asha_class() -> type:
    """Ray's ASHA, which never stops a protected trial. Made here because importing Ray takes seconds."""
    from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

    class ProtectingAsha(AsyncHyperBandScheduler):  # type: ignore[misc]
        def on_trial_result(self, tune_controller: object, trial: object, result: dict[str, object]) -> str:
            decision: str = super().on_trial_result(tune_controller, trial, result)
            protected = trial.config.get("protected")  # type: ignore[attr-defined]
            return TrialScheduler.CONTINUE if protected else decision

    return ProtectingAsha
