"""Ray's runtime environment for the nodes of a cluster: our packages, and the data of a study."""

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

IGNORED = ("__pycache__", "*.pyc")


@contextlib.contextmanager
def runtime_env_for(space: SearchSpace | None) -> Iterator[dict[str, Any]]:
    """A `runtime_env` for `ray.init`, with a folder from which workers import our packages and read evalsets and
    trainsets by name. Models, and files with an absolute path, must exist on every node.

    The folder is deleted at the end of the context; `ray.init` uploads it before it returns.
    """
    if code_comes_with_job():
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="podium-runtime-env-") as folder:
        copy_code_and_data(Path(folder), space)
        yield {"working_dir": folder}


def copy_code_and_data(folder: Path, space: SearchSpace | None) -> None:
    """Copy our packages, and the data that `space` names, to where `podium.core.paths` looks for shipped files."""
    for name in CODE_FOLDERS:
        shutil.copytree(shipped() / name, folder / name, ignore=shutil.ignore_patterns(*IGNORED))
    for name, source in _data_sources(space).items() if space else ():
        if not Path(name).is_absolute() and ".." not in Path(name).parts:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)


def _data_sources(space: SearchSpace) -> dict[str, Path]:
    """Path below the shipped folder of a node -> path here, for each file or folder of data."""
    config = space.base_config
    searched = space.parameters.get("data.trainset")
    trainsets = searched.ends() if searched else [config.data.trainset]
    found = {_path_on_node(name, f"trainsets/{name}"): find_trainset(name) for name in trainsets}
    evalset = config.eval.evalset
    return {_path_on_node(evalset, f"evalsets/{evalset}.jsonl"): find_evalset(evalset), **found}


def _path_on_node(name: str, path_of_name: str) -> str:
    return name if Path(name).suffix or "/" in name else path_of_name
