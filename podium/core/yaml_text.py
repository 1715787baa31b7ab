"""YAML as Podium reads and writes it: `1e-5` is a number, as YAML 1.2 says. PyYAML alone follows YAML 1.1, for which it
is text."""

import re
from typing import Any

import yaml

# The floats of the core schema (YAML 1.2.2, section 10.3.2) that have a point or an exponent. PyYAML reads the others.
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$")


class _Loader(yaml.SafeLoader):
    pass


class _Dumper(yaml.SafeDumper):
    """Quotes a text that `_Loader` would read as a number."""


for side in (_Loader, _Dumper):
    side.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))


def parse_yaml(text: str) -> Any:
    """The value of a YAML document. Raises yaml.YAMLError if it is not YAML."""
    return yaml.load(text, _Loader)


def to_yaml(value: Any) -> str:
    """YAML text with keys in the given order, from which `parse_yaml` reads the same value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False)
