"""Fixes the date that a chat template reads from the clock, so that no text depends on the day it is made on."""

from datetime import date

from podium.core.config import RunConfig
from trainer.data.tokenizer import reads_clock
from trainer.model.sources import find_files


def today() -> date:
    """The date here, as a chat template would read it from the clock."""
    return date.today()


def with_date(config: RunConfig, day: date | None = None) -> RunConfig:
    """`config` with data.date set to `day`, or to today, if it has none and its chat template reads the clock.

    Raises:
        UsageError, PodiumError: as `find_files` does.
    """
    if config.data.date or config.data.template == "plain" or not reads_clock(find_files(config.model)[1]):
        return config
    return config.with_overrides({"data.date": (day or today()).isoformat()})


def with_date_of(config: RunConfig, earlier: RunConfig) -> RunConfig:
    """`config` with data.date as in `earlier`, unless it has its own. A run made before dates were fixed has none."""
    if config.data.date or not earlier.data.date:
        return config
    return config.with_overrides({"data.date": earlier.data.date.isoformat()})
