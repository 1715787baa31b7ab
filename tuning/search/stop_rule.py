"""The section `stop` of a search space: when to end a sweep before its last trial."""

from pydantic import Field

from podium.core.config_sections import Section


class StopRule(Section):
    """The sweep ends at whichever comes first."""

    target: float | None = Field(None, description="stop once a complete trial is as good as this")
    patience: int | None = Field(None, ge=1, description="stop after this many trials without an improvement")
