"""Reads the YAML files of this folder, and the user's own file beside them, into checked records."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from podium.core.config import first_problem, load_yaml
from podium.core.config_sections import Section
from podium.core.errors import UsageError

FOLDER = Path(__file__).parent
Entry = TypeVar("Entry", bound=Section)


@cache
def shipped_entries(file: str, kind: type[Entry]) -> Mapping[str, Entry]:
    """The entries of a file of this folder, by name."""
    return entries(load_yaml(FOLDER / file), kind, file)


def entries(values: Mapping[str, Any], kind: type[Entry], where: str) -> dict[str, Entry]:
    """The entries of a mapping of names to values. Raises UsageError, which begins with `where` and the name."""
    return {name: _entry(name, fields, kind, where) for name, fields in values.items()}


def _entry(name: str, fields: Any, kind: type[Entry], where: str) -> Entry:
    if not isinstance(fields, dict):
        raise UsageError(f"{where}: {name} holds {type(fields).__name__}, must be a mapping of keys to values")
    try:
        return kind.model_validate({**fields, "name": name})
    except ValidationError as error:
        raise UsageError(f"{where}: {name}: {first_problem(error)}") from error
