"""Finds model, tokenizer and test file where Kaggle mounts them, read-only, each maybe in a folder of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from podium.core.errors import UsageError
from podium.core.hashing import sha256_file_cached
from podium.core.paths import workspace
from podium.submission.kaggle.bootstrap import find
from podium.submission.kaggle.exported import Export
from podium.submission.lock import Lock
from trainer.model.sources import MODELS, placed_name


@dataclass(frozen=True)
class Placed:
    """`test`: the file of unlabelled items, if the run answers one; `lines`: what was found."""

    test: str | None
    lines: tuple[str, ...]


def locate(lock: Lock, export: Export, below: Path) -> Placed:
    """Find every input below a folder, and link the model into the workspace, where the trainer looks for it.

    Raises:
        UsageError: an input is not there, and cannot be downloaded.
    """
    lines = [_model(lock, export, below)]
    if export.test is None:
        return Placed(None, tuple(lines))
    test = _test(export.test, below)
    return Placed(str(test), (*lines, f"test file: {test}"))


def _model(lock: Lock, export: Export, below: Path) -> str:
    config = lock.run_config().model
    if config.source == "tiny":
        return "model: tiny, which is part of Podium"
    hashes = {key: value for key, value in lock.hashes.items() if key.startswith(("model/", "tokenizer/"))}
    model = _with_hash("config.json", hashes["model/config.json"], below)
    if model is None:
        if export.internet and not config.source.startswith("local:"):
            return f"model: {config.source} is not attached, so it is downloaded"
        raise UsageError(
            f"no folder below {below} has the config.json of {config.source} that was locked; attach the model "
            f"(Add Input, or export again with --model or --dataset), and run again; {_there(below)}"
        )
    name, sha256 = next(
        (key.removeprefix("tokenizer/"), value) for key, value in hashes.items() if key.startswith("tok")
    )
    tokenizer = _with_hash(name, sha256, below)
    if tokenizer is None:
        raise UsageError(f"no folder below {below} has the {name} that was locked; attach the tokenizer, and run again")
    place = workspace() / MODELS / placed_name(config.source)
    _link(place / "model", model)
    _link(place / "tokenizer", tokenizer)
    if config.tokenizer:
        _link(workspace() / MODELS / placed_name(config.tokenizer), tokenizer)
    return f"model: {model}" + ("" if tokenizer == model else f", tokenizer: {tokenizer}")


def _with_hash(name: str, sha256: str, below: Path) -> Path | None:
    """The folder of the file `name` with this hash."""
    return next((path.parent for path in find(name, below, 7) if sha256_file_cached(path) == sha256), None)


def _link(link: Path, folder: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(folder, target_is_directory=True)


def _test(name: str, below: Path) -> Path:
    """The test file by its path below the inputs, or by its name. Raises UsageError."""
    path = below / name
    found: Sequence[Path] = [path] if path.is_file() else find(Path(name).name, below)
    if len(found) != 1:
        many = f"there are {len(found)}: {', '.join(map(str, found))}" if found else _there(below)
        raise UsageError(f"the test file {name} is not below {below}; attach the competition, and run again; {many}")
    return found[0]


def _there(below: Path) -> str:
    names = sorted(path.name for path in below.iterdir()) if below.is_dir() else []
    return f"attached: {', '.join(names) or 'nothing'}"
