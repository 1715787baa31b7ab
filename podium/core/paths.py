"""Where things are.

`home()` holds what a person keeps (trainsets, evalsets, search_spaces, submission_runs); `workspace()` holds what runs
produce. What Podium ships is found in `shipped()` when home has no file of that name.
"""

import os
from pathlib import Path

import podium
from podium.core.errors import UsageError


def home() -> Path:
    """`PODIUM_HOME`, else the current folder."""
    return Path(os.environ.get("PODIUM_HOME") or Path.cwd()).resolve()


def workspace() -> Path:
    """`PODIUM_WORKSPACE`, else `workspace` in home."""
    return Path(os.environ.get("PODIUM_WORKSPACE") or home() / "workspace").resolve()


def shipped() -> Path:
    """The folder that holds the packages, and in a checkout the shipped data."""
    return Path(podium.__file__).resolve().parents[1]


def study_dir(study: str) -> Path:
    return workspace() / "studies" / study


def submission_dir(name: str) -> Path:
    return home() / "submission_runs" / name


def find_evalset(name: str) -> Path:
    """`name` is a path to a .jsonl file, or the name of one in `evalsets/`."""
    return _find(name, "evalset", f"evalsets/{name}.jsonl", "`podium evalset check FILE` explains the format")


def find_trainset(name: str) -> Path:
    """`name` is a path to a trainset folder, or the name of one in `trainsets/`; the folder has a manifest.json."""
    hint = f"`podium trainset build {name}` or `podium trainset import FILE --as {name}` makes it"
    folder = _find(name, "trainset", f"trainsets/{name}", hint)
    if not (folder / "traces.jsonl").is_file():
        raise UsageError(f"trainset {name!r}: {folder} has no traces.jsonl; {hint}")
    return folder


def find_file(name: str) -> Path:
    """`name` is a path, or one below home or the shipped folder."""
    return _find(name, "file", name, "check the path")


def portable(path: Path) -> str:
    """`path` relative to workspace, home or the shipped folder, so that records survive a move; else absolute."""
    path = path.resolve()
    for root in (workspace(), home(), shipped()):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.as_posix()


def check_name(name: str, what: str) -> str:
    """A name becomes a folder: letters, digits, dot, dash and underscore only. Raises UsageError."""
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    if not name or not set(name) <= allowed or name.startswith((".", "-")) or len(name) > 100:
        rule = "use 1 to 100 letters, digits, '.', '_' or '-', not starting with '.' or '-'"
        raise UsageError(f"{what} name {name!r}: {rule}")
    return name


def _find(name: str, what: str, relative: str, hint: str) -> Path:
    for candidate in (Path(name), home() / relative, shipped() / relative):
        if candidate.exists() and (candidate != Path(name) or os.sep in name or candidate.suffix):
            return candidate.resolve()
    raise UsageError(f"{what} {name!r} not found (looked for {home() / relative}); {hint}")
