import os

import pytest

from podium.core.config import RunConfig
from podium.core.config_sections import DeviceConfig
from trainer.device.devices import select
from trainer.run.smoke import smoke_config


def test_only_what_costs_changes() -> None:
    large = RunConfig().with_overrides(
        {
            **{"data.max_seq_len": 512, "data.length_buckets": [64, 128, 256], "train.warmup_steps": 50},
            **{"train.batch_size": 16, "train.gradient_accumulation_steps": 4, "lora.enabled": True, "lora.rank": 32},
        }
    )
    small = smoke_config(large, 5)
    assert (small.train.max_steps, small.train.warmup_steps, small.train.batch_size) == (5, 5, 1)
    assert (small.data.max_seq_len, small.data.length_buckets) == (128, (64,))
    assert (small.train.optimizer, small.train.gradient_accumulation_steps) == ("adafactor", 1)
    assert (small.lora, small.model, small.generate) == (large.lora, large.model, large.generate)
    short = RunConfig().with_overrides({"data.max_seq_len": 64, "train.max_steps": None, "train.epochs": 3})
    assert smoke_config(short, 5).data.max_seq_len == 64  # short already
    assert (smoke_config(short, 5).train.max_steps, smoke_config(short, 5).train.epochs) == (5, None)
    open_size = smoke_config(RunConfig().with_overrides({"data.length_buckets": [64, 256]}), 5)
    assert (open_size.data.max_seq_len, open_size.data.length_buckets) == ("auto", (64,))


def test_memory_is_not_preallocated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    select(DeviceConfig(kind="cpu"))
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "true"
    select(DeviceConfig(kind="cpu"), preallocate=False)
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
