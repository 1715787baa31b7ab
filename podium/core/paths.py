"""Find files and folders.

`home()` holds the user's files (trainsets, evalsets, search_spaces, submission_runs); `workspace()` holds what runs
produce. A file that home does not have is looked up in `shipped()`, which holds the files that come with Podium.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import podium
from podium.core import settings
from podium.core.errors import UsageError
from podium.core.redaction import shortened, shown

MOST_BYTES = 3500  # of a path; Linux allows 4096, and a trial's files need up to 400 below it


def home() -> Path:
    """The folder in `PODIUM_HOME`, else the current folder. Raises UsageError as `workspace` does."""
    return _usable(settings.home_folder(), "home")


def workspace() -> Path:
    """The folder of the setting `workspace`, else `workspace` in home.

    Raises:
        UsageError: a setting cannot be read, or the path is too long or not UTF-8; the libraries that write below it
            could not use it.
    """
    return _usable(Path(settings.get("workspace") or home() / "workspace"), "workspace")


def shipped() -> Path:
    """The folder of the Python packages, which in a checkout also holds the shipped data."""
    return Path(podium.__file__).resolve().parents[1]


def study_dir(study: str) -> Path:
    return workspace() / "studies" / study


def submission_dir(name: str) -> Path:
    """The folder of submission `name`, in home unless `submission_placed` says otherwise."""
    return _placed.get(name) or home() / "submission_runs" / name


@contextlib.contextmanager
def submission_placed(name: str, folder: Path) -> Iterator[None]:
    """Take `folder` for the folder of submission `name` in this block, as `--run-dir` asks."""
    _placed[name] = folder.resolve()
    try:
        yield
    finally:
        del _placed[name]


_placed: dict[str, Path] = {}


def find_evalset(name: str) -> Path:
    """The evalset `name`: a path to a .jsonl file, or the name of one in `evalsets/`. Raises UsageError."""
    return _find(
        name,
        "evalset",
        f"evalsets/{name.removesuffix('.jsonl')}.jsonl",
        "`podium evalset import FILE --as NAME` makes one",
    )


def find_trainset(name: str) -> Path:
    """The folder of trainset `name`: a path, or a name in `trainsets/`. Raises UsageError if it has no traces.jsonl."""
    hint = f"`podium trainset build {name}` or `podium trainset import FILE --as {name}` makes it"
    folder = _find(name, "trainset", f"trainsets/{name}", hint)
    if not (folder / "traces.jsonl").is_file():
        raise UsageError(f"trainset {name!r}: {folder} has no traces.jsonl; {hint}")
    return folder


def find_file(name: str) -> Path:
    """The file `name`: a path, or a path relative to home or the shipped folder. Raises UsageError."""
    return _find(name, "file", name, "check the path")


def portable(path: Path) -> str:
    """`path` relative to workspace, home or the shipped folder, so that records survive a move; else the full path."""
    path = path.resolve()
    for root in (workspace(), home(), shipped()):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.as_posix()


def from_here(path: Path) -> str:
    """`path` as a command can be given it: relative to the current folder if it is below it, so that it is short."""
    path, here = path.resolve(), Path.cwd().resolve()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()


def check_name(name: str, what: str) -> str:
    """`name`, which is safe as the name of a folder. Raises UsageError for any other name."""
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    if not name or not set(name) <= allowed or name.startswith((".", "-")) or len(name) > 100:
        rule = "use 1 to 100 letters, digits, '.', '_' or '-', not starting with '.' or '-'"
        raise UsageError(f"{what} name {name!r}: {rule}")
    return name


def _usable(folder: Path, what: str) -> Path:
    folder = folder.resolve()
    try:
        too_long = len(str(folder).encode()) > MOST_BYTES or any(len(part.encode()) > 255 for part in folder.parts)
    except UnicodeEncodeError:
        hint = "set PYTHONUTF8=1" if sys.getfilesystemencoding() != "utf-8" else "rename it"
        raise UsageError(f"{what} {folder}: its path is not UTF-8, which Orbax and MLflow need; {hint}") from None
    if too_long:
        rule = f"must have at most {MOST_BYTES} bytes, and 255 in each folder's name"
        raise UsageError(f"{what} {folder}: its path is too long, {rule}; choose another")
    return folder


def is_there(path: Path) -> bool:
    """Whether a file or folder is there. Nothing is at a path that no file system can hold: too long, or with NUL."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _find(name: str, what: str, relative: str, hint: str) -> Path:
    for candidate in (Path(name), home() / relative, shipped() / relative):
        if is_there(candidate) and (candidate != Path(name) or os.sep in name or candidate.suffix):
            return candidate.resolve()
    looked_for = shortened(str(home() / relative), 200)
    raise UsageError(f"{what} {shown(name)} not found (looked for {looked_for}); {shortened(hint, 150)}")
