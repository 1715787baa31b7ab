"""The rules of competitions (competitions.yaml), which a submission must keep."""

import datetime
from collections.abc import Mapping

from pydantic import Field

from podium.core.budgets.data_file import shipped_entries
from podium.core.config_sections import Section
from podium.core.errors import UsageError

FILE = "competitions.yaml"


class Competition(Section):
    """The rules of one competition. An empty list or None means that there is no such rule."""

    name: str
    title: str
    models: tuple[str, ...] = ()
    architectures: tuple[dict[str, str | int], ...] = Field((), description="of the models, by their config.json")
    profiles: tuple[str, ...] = ()
    max_new_tokens: int | None = Field(None, ge=1)
    ends: datetime.date | None = None
    sessions: int | None = Field(None, ge=1)
    files: tuple[str, ...] = ()
    sources: dict[str, str] = Field({}, description="of a figure: where it is from, and when it was read")


def competitions() -> Mapping[str, Competition]:
    """Every competition by its name."""
    return shipped_entries(FILE, Competition)


def load_competition(name: str) -> Competition:
    """The competition `name`. Raises UsageError, which lists the known ones."""
    if name not in competitions():
        raise UsageError(f"budget.competition={name!r}, must be one of {', '.join(competitions())}; leave it out")
    return competitions()[name]
