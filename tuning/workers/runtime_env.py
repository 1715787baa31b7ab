"""What the nodes of a cluster get through Ray's runtime environment: our packages, and the data of a study."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from podium.core.paths import find_evalset, find_trainset, shipped
from podium.core.provenance import CODE_FOLDERS
from tuning.search.space import SearchSpace
from tuning.workers.cluster import code_comes_with_job

LEFT_OUT = ("__pycache__", "*.pyc")


@contextlib.contextmanager
def shipment(space: SearchSpace | None) -> Iterator[dict[str, Any]]:
    """A `runtime_env` for `ray.init`, which uploads its folder before it returns: workers import from there, and find
    evalsets and trainsets by name. A model or a file with an absolute path must be there on every node."""
    if code_comes_with_job():
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="podium-ship-") as folder:
        pack(Path(folder), space)
        yield {"working_dir": folder}


def pack(folder: Path, space: SearchSpace | None) -> None:
    """Copy the packages, and what `space` names, to where `podium.core.paths` looks for shipped files."""
    for name in CODE_FOLDERS:
        shutil.copytree(shipped() / name, folder / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for name, source in _data(space).items() if space else ():
        if not Path(name).is_absolute() and ".." not in Path(name).parts:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)


def _data(space: SearchSpace) -> dict[str, Path]:
    """Where a node looks for each file or folder -> where it is here."""
    config = space.base_config
    searched = space.parameters.get("data.trainset")
    trainsets = searched.ends() if searched else [config.data.trainset]
    found = {_place(name, f"trainsets/{name}"): find_trainset(name) for name in trainsets}
    evalset = config.eval.evalset
    return {_place(evalset, f"evalsets/{evalset}.jsonl"): find_evalset(evalset), **found}


def _place(name: str, usual: str) -> str:
    return name if Path(name).suffix or "/" in name else usual
