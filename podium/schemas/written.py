"""The schemas as text, from the records that read the files.

A schema says what a file may hold. What depends on several keys, or on other files, is checked when the file is loaded.
"""

from collections.abc import Callable, Mapping
from typing import Any

from podium.core.budgets.accelerators import accelerators
from podium.core.budgets.profiles import Profile
from podium.core.config import RunConfig
from podium.core.files import to_json
from podium.schemas.search_space import search_space_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def run_config_schema() -> dict[str, Any]:
    return RunConfig.model_json_schema()


def profiles_schema() -> dict[str, Any]:
    """Of a mapping of names to profiles."""
    profile = Profile.model_json_schema()
    del profile["properties"]["name"]
    profile["required"].remove("name")
    profile["properties"]["accelerator"]["anyOf"][0]["enum"] = list(accelerators())
    return {"title": "Profiles", "type": "object", "additionalProperties": profile}


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "run_config": run_config_schema,
    "search_space": search_space_schema,
    "profiles": profiles_schema,
}


def schema_text(kind: str) -> str:
    """The content of the schema file of a kind."""
    return to_json({"$schema": DIALECT, **SCHEMAS[kind]()})
