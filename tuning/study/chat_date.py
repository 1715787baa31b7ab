"""Fixes the date that the chat templates of a study read from the clock, so that no trial depends on the day."""

from trainer.run import chat_date
from tuning.search.space import SearchSpace

TEMPLATE_KEYS = ("model.source", "model.tokenizer", "model.revision", "data.template")  # they choose the chat template


def with_date(space: SearchSpace, source: SearchSpace | None = None) -> SearchSpace:
    """The space of a new study with data.date fixed, if a chat template of it may read the clock.

    The date is that of `source`, the older study that it starts from, or today's.

    Raises:
        UsageError, PodiumError: as `trainer.model.sources.find_files` does.
    """
    config = space.base_config
    if source is not None:
        config = chat_date.with_date_of(config, source.base_config)
    if not config.data.date and any(key in space.parameters for key in TEMPLATE_KEYS):
        config = config.with_overrides({"data.date": chat_date.today().isoformat()})
    return space.model_copy(update={"base_config": chat_date.with_date(config)})


def with_date_of(space: SearchSpace, earlier: SearchSpace) -> SearchSpace:
    """The space with data.date as in `earlier`, the space of the study that it resumes, unless it has its own."""
    config = chat_date.with_date_of(space.base_config, earlier.base_config)
    return space.model_copy(update={"base_config": config})
