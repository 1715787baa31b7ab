"""Imports data files as examples of a trainset. docs/data.md shows a file of each format."""

from collections.abc import Iterable, Iterator

from podium.core.formats import Format, read_row
from podium.core.records import Example, parse_example
from podium.core.tables import Row

VERSION = "2"  # of the conversion


def import_examples(rows: Iterable[Row], format: Format) -> Iterator[Example]:
    """Every row as a Conversation; of the formats gsm8k and traces, as a ReasoningTrace.

    Raises:
        UsageError: one is invalid, which is named with file, line and reason.
    """
    return (parse_example(read_row(format, row), row.where) for row in rows)
