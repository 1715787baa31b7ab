"""The smallest config for a smoke test, which runs every stage in minutes before a long run starts."""

from podium.core.config import RunConfig

MAX_SEQ_LEN = 128


def smoke_config(config: RunConfig, steps: int, devices: int = 1) -> RunConfig:
    """`config` for `steps` steps of one short sequence per device, with as little memory as possible.

    Model, trainset, adapters and everything else stay as they are, so that errors in them show.
    """
    asked = config.data.max_seq_len
    length = MAX_SEQ_LEN if asked == "auto" else min(asked, MAX_SEQ_LEN)
    return config.with_overrides(
        {
            "train.max_steps": steps,
            "train.epochs": None,
            "train.warmup_steps": min(config.train.warmup_steps, steps),
            "train.batch_size": config.device.count or devices,
            "train.gradient_accumulation_steps": 1,
            "train.optimizer": "adafactor",
            "train.dtype": "auto",
            "data.max_seq_len": asked if asked == "auto" else length,
            "data.length_buckets": [bucket for bucket in config.data.length_buckets if bucket < length],
        }
    )
