"""Schedulers decide which trials continue. Each file has the options of one and builds its Ray Tune scheduler."""

from typing import Annotated

from pydantic import Discriminator, Tag

from tuning.search.schedulers.asha import AshaScheduler
from tuning.search.schedulers.hyperband import HyperbandScheduler
from tuning.search.schedulers.median import MedianScheduler
from tuning.search.schedulers.none import NoScheduler
from tuning.search.schedulers.pbt import PbtScheduler
from tuning.search.variants import variant_name

Scheduler = Annotated[
    Annotated[AshaScheduler, Tag("asha")]
    | Annotated[HyperbandScheduler, Tag("hyperband")]
    | Annotated[MedianScheduler, Tag("median")]
    | Annotated[PbtScheduler, Tag("pbt")]
    | Annotated[NoScheduler, Tag("none")],
    Discriminator(
        variant_name,
        custom_error_type="scheduler",
        custom_error_message="must be one of asha, hyperband, median, pbt, none",
    ),
]
