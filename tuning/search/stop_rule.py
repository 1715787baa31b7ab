"""When a sweep has seen enough, as a section of a search space."""

from pydantic import Field

from podium.core.config_sections import Section


class StopRule(Section):
    """Whichever comes first; the number of trials and the time budget end a sweep as well."""

    target: float | None = Field(None, description="end once a complete trial is as good as this")
    patience: int | None = Field(None, ge=1, description="end once so many trials after the best were no better")
