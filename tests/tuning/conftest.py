"""A small space on the tiny model, as files and as a value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuning.space import SearchSpace, load_space

BASE = {"train": {"max_steps": 90, "learning_rate": 1e-3, "warmup_steps": 0}}
SPACE: dict[str, Any] = {
    "name": "small",
    "base": "base.yaml",
    "metric": "dev/answer_correctness",
    "sampler": {"name": "tpe", "seed": 1, "n_startup_trials": 4},
    "scheduler": {"name": "asha", "grace_period": 10, "reduction_factor": 3},
    "trials": 12,
    "report_every_steps": 10,
    "parameters": {
        "train.learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
        "train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1},
    },
}
WriteSpace = Callable[..., Path]


@pytest.fixture
def write_space(home: Path) -> WriteSpace:
    """`write_space(trials=3)` writes the small space with these keys replaced (None takes one out)."""

    def write(**changes: Any) -> Path:
        values = {key: value for key, value in {**SPACE, **changes}.items() if value is not None}
        base = changes.pop("base_config", BASE)
        values.pop("base_config", None)
        (home / "base.yaml").write_text(yaml.safe_dump(base))
        path = home / "space.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write


@pytest.fixture
def space(write_space: WriteSpace) -> SearchSpace:
    return load_space(write_space())
