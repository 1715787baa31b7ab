"""YAML as Podium reads and writes it: `1e-5` is a number, as YAML 1.2 says. PyYAML alone follows YAML 1.1, for which it
is text. Keys are texts and given once, and a date is a text."""

import re
from typing import Any, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from podium.core.plain_values import (
    MOST_DIGITS,
    MOST_LEVELS,
    TOO_DEEP,
    Unreadable,
    finite,
    refuse_half_characters,
    repeated,
)

MOST_CHARACTERS = 1_000_000
MOST_VALUES = 50_000  # with those that aliases repeat; a larger study is no hand-written file
TAG = "tag:yaml.org,2002:"
TAGS = {TAG + name for name in ("null", "bool", "int", "float", "str", "seq", "map")}
# The floats of the core schema (YAML 1.2.2, section 10.3.2) that have a point or an exponent. PyYAML reads the others.
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$")


class _Loader(yaml.SafeLoader):
    """Raises Unreadable for what is YAML and not a plain value within the limits."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._level = 0
        self._n_values = 0
        self._sizes: dict[Node, int] = {}  # the number of values in each node, with those that aliases repeat

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self._level, self._n_values = self._level + 1, self._n_values + 1
        if self._level > MOST_LEVELS:
            _refuse(event, TOO_DEEP)
        node = super().compose_node(parent, index)
        self._level -= 1
        assert node is not None
        if node not in self._sizes:
            if isinstance(event, yaml.AliasEvent):  # to a node that is still open
                _refuse(event, f"*{event.anchor} stands inside what it repeats")
            self._sizes[node] = 1 + sum(self._sizes[part] for part in _parts(node))
        if max(self._n_values, self._sizes[node]) > MOST_VALUES:
            _refuse(event, f"holds more than {MOST_VALUES} values, aliases included")
        return node

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if key.tag == f"{TAG}merge":
                continue
            if key.tag != f"{TAG}str":
                _refuse(
                    key, f"the key {key.value!r:.60} is no text; quote it" if _is_scalar(key) else "a key is no text"
                )
            if key.value in seen:
                _refuse(key, repeated(key.value))
            seen.add(key.value)
        return node

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        kind = node.tag.removeprefix(TAG)
        if _is_scalar(node) and kind in ("int", "float") and len(node.value) > MOST_DIGITS:
            _refuse(node, f"a number of {len(node.value)} digits, must have {MOST_DIGITS} at most")
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, int | float):
                finite(str(float(value)))
        except Unreadable as error:
            raise error if error.line else Unreadable(str(error), node.start_mark.line + 1) from None
        except (ValueError, LookupError, ArithmeticError):
            _refuse(node, f"{node.value!r:.60} is not of the type {kind}")
        return value


class _Dumper(yaml.SafeDumper):
    """Quotes a text that `_Loader` would read as a number."""


for side in (_Loader, _Dumper):
    side.add_implicit_resolver(f"{TAG}float", FLOAT, list("-+.0123456789"))
_Loader.yaml_constructors = {tag: make for tag, make in _Loader.yaml_constructors.items() if tag in (*TAGS, None)}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != f"{TAG}timestamp"]
    for first, rules in _Loader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str) -> Any:
    """The value of a YAML document: texts, finite numbers, booleans, null, lists, and mappings of texts.

    Raises:
        Unreadable: it is not YAML, holds anything else, gives a key twice, or is too large or too deep.
    """
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"not YAML that Podium reads ({len(text)} characters, must be {MOST_CHARACTERS} at most)")
    try:
        value = yaml.load(text, _Loader)
        if "\\" in text:
            refuse_half_characters(value)
    except Unreadable as error:
        raise Unreadable(f"not YAML that Podium reads ({error})", error.line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(f"not YAML ({error.problem or error.context})", mark.line + 1 if mark else None) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Unreadable(f"not YAML (the character {chr(error.character)!r} is not allowed)", line) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # such as the escape \UFFFFFFFF
        raise Unreadable(f"not YAML ({error})") from None
    return value


def to_yaml(value: Any) -> str:
    """YAML text with keys in the given order, from which `parse_yaml` reads the same value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False)


def _parts(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _is_scalar(node: Node) -> bool:
    return isinstance(node, ScalarNode)


def _refuse(place: Any, reason: str) -> NoReturn:
    """`place` is a node or an event."""
    raise Unreadable(reason, place.start_mark.line + 1)
