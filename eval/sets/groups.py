"""Items grouped by section, category and difficulty."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from podium.core.records import DIFFICULTIES, GROUPS, Sample

V = TypeVar("V")


def grouped(samples: Sequence[Sample], values: Sequence[V]) -> dict[str, dict[str, list[V]]]:
    """The values of the samples by plural kind of group ("sections", ...), then by the group's name, in order."""
    return {plural: _by_name([getattr(sample, kind) for sample in samples], values) for kind, plural in GROUPS.items()}


def group_items(record: Any) -> Iterator[tuple[str, str, Any]]:
    """(kind, name, value) of every group of a scorecard or a pairing; the kind is singular: "section", ..."""
    for kind, plural in GROUPS.items():
        for name, value in getattr(record, plural).items():
            yield kind, name, value


def _by_name(names: Sequence[str], values: Sequence[V]) -> dict[str, list[V]]:
    members = defaultdict(list)
    for name, value in zip(names, values, strict=True):
        members[name].append(value)
    return {name: members[name] for name in sorted(members, key=_order)}


def _order(name: str) -> tuple[int, str]:
    """Difficulties from easy to hard, then all other names in alphabetical order."""
    return (DIFFICULTIES.index(name) if name in DIFFICULTIES else len(DIFFICULTIES)), name
