"""A temporary PODIUM_HOME for benchmarks that train the tiny model, so that they do not touch the user's."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A new PODIUM_HOME that holds only the tiny trainset. The variable is set for this process and its children."""
    from trainer.data.trainsets import build_trainset

    with tempfile.TemporaryDirectory(prefix="podium-bench-") as folder:
        before = {
            name: os.environ.pop(name, None) for name in ("PODIUM_HOME", "PODIUM_WORKSPACE", "MLFLOW_TRACKING_URI")
        }
        os.environ["PODIUM_HOME"] = folder
        try:
            build_trainset("tiny-reasoning", Path(folder) / "trainsets" / "tiny-reasoning")
            yield Path(folder)
        finally:
            del os.environ["PODIUM_HOME"]
            os.environ.update({name: value for name, value in before.items() if value is not None})


def write_space(home: Path, base: Mapping[str, Any], space: Mapping[str, Any]) -> Path:
    """Write a space file and its base config into `home`; returns the path of the space file."""
    (home / "base.yaml").write_text(yaml.safe_dump(dict(base)))
    path = home / "space.yaml"
    path.write_text(yaml.safe_dump({"base": "base.yaml", **space}))
    return path
