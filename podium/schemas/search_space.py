"""The schema of a search space as it is written in its file: with short forms, and without the resolved base config."""

from collections.abc import Mapping
from typing import Any

from podium.core import config
from podium.core.config import all_keys
from tuning.search import objectives
from tuning.search.checks import SEARCHABLE
from tuning.search.objectives import COSTS, METRICS
from tuning.search.parameters import NAMES, SPELLINGS
from tuning.search.space import SearchSpace

DEFS = "#/$defs"
NUMBER = {"type": "number"}
SCALAR = {"type": ["string", "number", "boolean", "null"]}
CHOICES = {"type": "array", "minItems": 2}
OWN_KEY = {"pattern": f"^{config.OWN.pattern}$"}  # for a training function of the user's own
OWN_METRIC = {"pattern": f"^{objectives.OWN.pattern}$"}  # reported by it
WHEN = {
    "description": "other parameters, and the values for which this one is active",
    "type": "object",
    "propertyNames": {"anyOf": [{"enum": sorted(SEARCHABLE)}, OWN_KEY]},
}


def search_space_schema() -> dict[str, Any]:
    schema = SearchSpace.model_json_schema()
    definitions, properties = schema["$defs"], schema["properties"]
    del properties["base_config"]
    schema["required"] = ["name", "base", "trials", "parameters"]
    searchable = [key for key in all_keys() if key in SEARCHABLE]
    parameter = {key: _described(definitions, key) for key in searchable}
    properties["parameters"] |= _keys(parameter, {"$ref": f"{DEFS}/Parameter"})
    properties["overrides"] |= _keys({key: _value(key) for key in all_keys()}, {})
    properties["start_with"]["items"] = {
        "type": "object",
        "propertyNames": {"anyOf": [{"enum": searchable}, OWN_KEY]},
    }
    properties["metric"]["anyOf"] = [{"enum": list(METRICS)}, OWN_METRIC]
    definitions["Objective"]["properties"]["metric"]["anyOf"] = [{"enum": [*METRICS, *COSTS]}, OWN_METRIC]
    definitions["Objective"]["required"] = ["metric"]
    definitions["Parameter"] = _parameter()
    for key in ("sampler", "scheduler"):
        properties[key] = _variants(properties[key], definitions)
    count = definitions["Workers"]["properties"]["count"]
    count["anyOf"][1]["minimum"] = 1
    properties["workers"] = {
        "description": properties["workers"]["description"],
        "anyOf": [*count["anyOf"], {"$ref": f"{DEFS}/Workers"}],
    }
    return schema


def _keys(known: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a config, each with its schema, and those of the user's own."""
    return {"properties": known, "patternProperties": {OWN_KEY["pattern"]: own}, "additionalProperties": False}


def _described(definitions: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A parameter, with what its config key means."""
    section, name = key.split(".")
    of_key = definitions[_class_name(section)]["properties"][name]
    return {**({"description": of_key["description"]} if "description" in of_key else {}), "$ref": f"{DEFS}/Parameter"}


def _value(key: str) -> dict[str, str]:
    """A value of a config key, as the config itself has it."""
    section, name = key.split(".")
    return {"$ref": f"{DEFS}/{_class_name(section)}/properties/{name}"}


def _class_name(section: str) -> str:
    return f"{section.capitalize()}Config"


def _parameter() -> dict[str, Any]:
    """A range, a choice, a list (short for a choice), or a fixed or computed value."""
    ranges = ["float", "int", *(name for name, kind in SPELLINGS.items() if kind["type"] != "categorical")]
    choices = ["categorical", *(name for name, kind in SPELLINGS.items() if kind["type"] == "categorical")]
    of_range = {"low": NUMBER, "high": NUMBER, "log": {"type": "boolean"}, "step": NUMBER}
    return {
        "anyOf": [
            _one("a range; both ends are included", ranges, of_range, ("low", "high")),
            _one(
                "a choice; ordered if it is a scale",
                choices,
                {"choices": CHOICES, "ordered": {"type": "boolean"}},
                ("choices",),
            ),
            {
                "description": 'a fixed value, or an expression such as "=0.1 * train.max_steps", under a condition',
                "type": "object",
                "properties": {"value": {}, "when": WHEN},
                "required": ["value"],
                "additionalProperties": False,
            },
            {"description": "short for a choice; of a key that is a list itself, a fixed value", "type": "array"},
            {"description": 'a fixed value, or an expression such as "=0.1 * train.max_steps"', **SCALAR},
        ]
    }


def _one(description: str, types: list[str], fields: Mapping[str, Any], needed: tuple[str, ...]) -> dict[str, Any]:
    """An object whose `needed` fields may have the names that other libraries use."""
    other = {ours: name for name, ours in NAMES.items()}
    return {
        "description": description,
        "type": "object",
        "properties": {
            "type": {"enum": types},
            **fields,
            **{other[name]: fields[name] for name in needed},
            "when": WHEN,
        },
        "required": ["type"],
        "allOf": [{"oneOf": [{"required": [name]}, {"required": [other[name]]}]} for name in needed],
        "additionalProperties": False,
    }


def _variants(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A sampler or scheduler: its name, or an object with the name and options."""
    kinds = [definitions[one["$ref"].rpartition("/")[2]] for one in field["oneOf"]]
    named = [kind for kind in kinds if "required" not in kind]  # one of the user's own has its path in place of a name
    for kind in named:
        kind["required"] = ["name"]
    names = [kind["properties"]["name"]["const"] for kind in named]
    return {**field, "oneOf": [{"enum": names}, *field["oneOf"]]}
