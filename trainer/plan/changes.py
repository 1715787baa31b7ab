"""Changes to a config that need less memory on a target, those with the smallest effect on the run first."""

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from podium.core.config import RunConfig
from trainer.plan.target import Target

Overrides = dict[str, Any]
SHORTEST = 16  # tokens of a row


def changes_of_training(config: RunConfig, target: Target) -> Iterator[Overrides]:
    """Single changes, then all of them together, then with shorter rows as well."""
    singles = list(_training(config, target))
    yield from singles
    together = {key: value for each in singles for key, value in each.items()}
    if len(singles) > 1:
        yield together
    for length in _halves(config.data.max_seq_len, SHORTEST):
        yield {**together, "data.max_seq_len": length, "data.length_buckets": ()}


def changes_of_decoding(config: RunConfig) -> Iterator[Overrides]:
    """Fewer prompts at once."""
    for rows in _halves(config.generate.batch_size, 1):
        yield {"generate.batch_size": rows}


def _training(config: RunConfig, target: Target) -> Iterator[Overrides]:
    train, n = config.train, target.count
    if n > 1 and config.device.fsdp != n and train.batch_size % n == 0:
        yield {"device.fsdp": n}
    if train.remat != "full":
        yield {"train.remat": "full"}
    for batch in _halves(train.batch_size, 1):  # the same examples per step
        parts = train.gradient_accumulation_steps * train.batch_size // batch
        yield {"train.batch_size": batch, "train.gradient_accumulation_steps": parts}
    if config.lora.enabled and config.model.base_dtype != "int8":
        yield {"model.base_dtype": "int8"}
    if not config.lora.enabled:
        yield {"lora.enabled": True}


def _halves(value: int | str, least: int) -> Iterator[int]:
    """Half of `value`, a quarter and so on, down to `least`; nothing for `auto`."""
    if isinstance(value, int):
        yield from takewhile(lambda half: half >= least, (value >> power for power in range(1, 31)))
