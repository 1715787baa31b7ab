"""The inputs of a config by names that say nothing of one machine: a lock is evidence, and holds no absolute path."""

import os
from itertools import count
from pathlib import Path
from typing import Any

from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.hashing import sha256_file
from podium.core.paths import find_evalset, find_file, find_trainset, home, is_there, shipped, workspace
from podium.core.resolved import ResolvedConfig, resolved
from trainer.model.sources import LOCAL, MODELS, find_folder

INPUTS = ("model.source", "model.tokenizer", "data.trainset", "eval.evalset", "eval.challenges")


def portable_config(config: ResolvedConfig) -> ResolvedConfig:
    """`config` with names in place of absolute paths.

    A model's folder becomes `local:NAME`, and workspace/models/NAME a link to it; its hashes are in the lock. A
    trainset or an evalset is named by its place in home.

    Raises:
        UsageError: a trainset or an evalset is outside of home, and home has no copy of it.
        PodiumError: the link could not be made.
    """
    changes = {
        "model.source": _model("model.source", config.model.source),
        "model.tokenizer": _model("model.tokenizer", config.model.tokenizer),
        "data.trainset": _trainset(config.data.trainset),
        "eval.evalset": _evalset(config.eval.evalset),
        "eval.challenges": _file("eval.challenges", config.eval.challenges),
    }
    changed = {key: value for key, value in changes.items() if value != config.get(key)}
    return resolved(config.with_overrides(changed)) if changed else config


def given_to(config: RunConfig, key: str, value: Any) -> Any:
    """The value of an override as `config` has it, if its key names an input."""
    return config.get(key) if key in INPUTS else value


def _model(key: str, source: str | None) -> str | None:
    if source is None or not source.startswith(("/", "~")):
        return source
    folder = find_folder(key, source, None)
    names = (folder.name if n == 1 else f"{folder.name}-{n}" for n in count(1))
    return next(f"{LOCAL}{name}" for name in names if _linked(workspace() / MODELS / name, folder))


def _linked(link: Path, folder: Path) -> bool:
    """Whether `link` leads to `folder`; it is made if nothing is there."""
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(link):
            link.symlink_to(folder, target_is_directory=True)
        return link.resolve() == folder
    except OSError as error:
        raise PodiumError(f"cannot link {link} to the model ({error.strerror or error}); free some space") from error


def _trainset(name: str) -> str:
    if not Path(name).is_absolute():
        return name
    found = find_trainset(name)
    _refuse_elsewhere("data.trainset", found / "traces.jsonl", Path("trainsets") / found.name / "traces.jsonl")
    return found.name


def _evalset(name: str) -> str:
    if not Path(name).is_absolute():
        return name
    found = find_evalset(name)
    _refuse_elsewhere("eval.evalset", found, Path("evalsets") / f"{found.stem}.jsonl")
    return found.stem


def _file(key: str, name: str | None) -> str | None:
    if name is None or not Path(name).is_absolute():
        return name
    found = find_file(name)
    if not found.is_relative_to(home()):
        raise UsageError(f"{key}={name!r} is outside of {home()}; copy it there, and give the path from there")
    return found.relative_to(home()).as_posix()


def _refuse_elsewhere(key: str, found: Path, place: Path) -> None:
    """Raises UsageError unless home, or Podium itself, has the same bytes at `place`."""
    here = next((root / place for root in (home(), shipped()) if is_there(root / place)), None)
    if here is None or (here != found and sha256_file(here) != sha256_file(found)):
        raise UsageError(
            f"{key}={str(found)!r}: what a lock names must be in {place.parts[0]}/; copy it to {place.as_posix()}, "
            "and promote again"
        )
