"""Settings: where Podium keeps things on this machine, and what commands do if an option is not given.

A value is that of the command line, else of the environment, else of the project's file, else of the user's file, else
the default. No setting changes what a run computes; that is in its config. This is the one module that reads
environment variables for it.
"""

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from podium.core.errors import UsageError
from podium.core.redaction import redact, shown

PROJECT_FILE, USER_FILE = "podium.toml", "podium/config.toml"
DEFAULT = "default"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: Any) -> bool:
    text = str(value) if not isinstance(value, bool) else ""
    return text == "auto" or (text.isascii() and text.isdecimal() and int(text) >= 1)


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: value in words


@dataclass(frozen=True)
class Setting:
    """One setting: its key in a file, its environment variable, what it means, its rule, and what holds without it."""

    name: str
    variable: str
    meaning: str
    rule: str
    default: str
    accepts: Callable[[Any], bool] = _is_text


SETTINGS = (
    Setting("workspace", "PODIUM_WORKSPACE", "where runs and studies go", "a folder", "workspace in home"),
    Setting(
        "tracking_uri", "MLFLOW_TRACKING_URI", "where MLflow keeps its runs", "a URI", "mlflow.db in the workspace"
    ),
    Setting(
        "optuna_storage",
        "PODIUM_OPTUNA_STORAGE",
        "where new studies keep their trials",
        "journal, sqlite or a database's URL",
        "journal",
    ),
    Setting(
        "backend",
        "PODIUM_BACKEND",
        "where trials run",
        "auto, ray or inline",
        "auto",
        _one_of("auto", "ray", "inline"),
    ),
    Setting(
        "workers",
        "PODIUM_WORKERS",
        "workers of a sweep whose space names no number",
        "auto or a whole number >= 1",
        "auto",
        _is_count,
    ),
    Setting(
        "profile",
        "PODIUM_PROFILE",
        "the budget profile whose quota sweeps use",
        "the name of a profile",
        "none; on Kaggle, the config's",
    ),
    Setting(
        "compile_cache",
        "PODIUM_COMPILE_CACHE",
        "keep compiled programs in the workspace",
        "on or off",
        "on",
        _one_of("on", "off"),
    ),
    Setting("plots", "PODIUM_PLOTS", "draw a study's plots into MLflow", "on or off", "on", _one_of("on", "off")),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Found:
    """A setting's value, None if nothing sets it, and its source: a variable, the path of a file, or `default`."""

    value: str | None
    source: str


def home_folder() -> Path:
    """The folder in `PODIUM_HOME`, else the current folder. It has the project's file, so no file can set it."""
    return Path(variable("PODIUM_HOME") or Path.cwd())


def files() -> tuple[Path, Path]:
    """The project's file and the user's, whether or not they are there."""
    below = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return home_folder() / PROJECT_FILE, Path(below) / USER_FILE


def variable(name: str) -> str | None:
    """The value of an environment variable; None if it is not set, or empty."""
    return os.environ.get(name) or None


def get(name: str) -> str | None:
    """The value of a setting, None if nothing sets it. Raises UsageError as `find` does."""
    return find(name).value


def find(name: str) -> Found:
    """The value of a setting, and where it is from.

    Raises:
        UsageError: a variable or a file has a value that breaks the setting's rule, or a file is not TOML or has an
            unknown key.
    """
    setting = BY_NAME[name]
    if (value := variable(setting.variable)) is not None:
        return Found(_checked(setting, value, ""), setting.variable)
    for file in files():
        if name in (values := _read(file)):
            return Found(_in_folder(setting, values[name], file.parent), str(file))
    return Found(None, DEFAULT)


def unknown_variables() -> list[str]:
    """The PODIUM_ variables that no setting has and that look like one that was misspelt."""
    known = [setting.variable for setting in SETTINGS]
    others = [name for name in os.environ if name.startswith("PODIUM_") and name not in known]
    return [name for name in others if name != "PODIUM_HOME" and difflib.get_close_matches(name, known, cutoff=0.8)]


def _read(file: Path) -> Mapping[str, str]:
    """The checked values of a settings file; none if it is not there."""
    try:
        stat = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return _parsed(file, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _parsed(file: Path, modified_ns: int, size: int) -> Mapping[str, str]:  # noqa: ARG001 (the key of the cache)
    import tomllib

    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise UsageError(f"{file}: not TOML ({error}); correct it, or remove the file") from error
    for key in values:
        if key not in BY_NAME:
            near = difflib.get_close_matches(key, BY_NAME, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(BY_NAME)}"
            raise UsageError(f"{file}: unknown key {shown(key)}; {hint}")
    return {key: _checked(BY_NAME[key], value, f"{file}: ") for key, value in values.items()}


def _checked(setting: Setting, value: Any, where: str) -> str:
    """The value as text. Raises UsageError, which begins with `where`."""
    if not setting.accepts(value):
        name = setting.name if where else setting.variable
        raise UsageError(f"{where}{name}={redact(shown(value))}, must be {setting.rule}; change it or leave it out")
    return str(value)


def _in_folder(setting: Setting, value: str, folder: Path) -> str:
    """The value; a path of a file is relative to the file's folder."""
    return str(folder / Path(value).expanduser()) if setting.name == "workspace" else value
