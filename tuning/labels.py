"""Short names for people: of parameters and their values."""

from collections.abc import Mapping
from typing import Any

SHORT = {"learning_rate": "lr", "rank": "r", "batch_size": "bs", "weight_decay": "wd", "warmup_steps": "warmup"}


def params_label(overrides: Mapping[str, Any]) -> str:
    """`lr=0.00031 r=8` for {"train.learning_rate": 3.1e-4, "lora.rank": 8}."""
    return " ".join(f"{short_name(key)}={short_value(value)}" for key, value in overrides.items())


def short_name(key: str) -> str:
    name = key.rpartition(".")[2]
    return SHORT.get(name, name)


def short_value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
