"""Short labels of parameters and their values, for tables and run names."""

from collections.abc import Mapping
from typing import Any

SHORT = {"learning_rate": "lr", "rank": "r", "batch_size": "bs", "weight_decay": "wd", "warmup_steps": "warmup"}


def params_label(overrides: Mapping[str, Any]) -> str:
    """`lr=3.1e-4 r=8` for {"train.learning_rate": 3.1e-4, "lora.rank": 8}."""
    return " ".join(f"{short_name(key)}={short_value(value)}" for key, value in overrides.items())


def short_name(key: str) -> str:
    name = key.rpartition(".")[2]
    return SHORT.get(name, name)


def short_value(value: Any) -> str:
    """Three significant digits of a float, a small one in scientific notation: 3.1e-4."""
    if not isinstance(value, float):
        return str(value)
    if 0 < abs(value) < 0.001:
        digits, _, exponent = f"{value:.2e}".partition("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.3g}"
