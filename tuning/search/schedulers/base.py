"""What every scheduler has. The resource is training steps, and every trial's learning-rate schedule spans all of them:
stopping at a rung is a truncation."""

from pydantic import Field

from podium.core.config_sections import Section


class BaseOptions(Section):
    """What all have in common."""

    def refusal(self, report_every_steps: int, max_steps: int) -> str | None:  # noqa: ARG002
        """Why it cannot work with so many steps, in words that follow `scheduler.`"""
        return None


class EarlyStopping(BaseOptions):
    """No trial is stopped before `grace_period` steps."""

    grace_period: int | None = Field(None, ge=1, description="steps; those to the first report when not given")

    def refusal(self, report_every_steps: int, max_steps: int) -> str | None:
        first = self.first_rung(report_every_steps)
        if report_every_steps <= first <= max_steps:
            return None
        return (
            f"grace_period={first}, must be from report_every_steps={report_every_steps} "
            f"to the most steps a trial can have, {max_steps}"
        )

    def first_rung(self, report_every_steps: int) -> int:
        return self.grace_period or report_every_steps
