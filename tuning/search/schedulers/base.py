"""The base of every scheduler.

The resource is training steps. Every trial's learning-rate schedule spans all of its steps, so stopping at a rung is a
truncation.
"""

from pydantic import Field

from podium.core.config_sections import Section


class BaseOptions(Section):
    """The methods of every scheduler."""

    def refusal(self, report_every_steps: int, max_steps: int) -> str | None:  # noqa: ARG002
        """Why the options do not fit these numbers of steps, as the text after `scheduler.`; None if they fit."""
        return None


class EarlyStopping(BaseOptions):
    """A scheduler that stops no trial before `grace_period` steps."""

    grace_period: int | None = Field(None, ge=1, description="steps; up to the first report if not given")

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
