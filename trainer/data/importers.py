"""Imports data files as examples of a trainset. docs/data.md shows a file of each format."""

from collections.abc import Iterable, Iterator

from podium.core.errors import UsageError
from podium.core.formats import Format, read_row
from podium.core.records import Example, parse_example
from podium.core.tables import Row

VERSION = "2"  # of the conversion


def import_examples(rows: Iterable[Row], format: Format) -> Iterator[Example]:
    """Every row as a Conversation; of the formats gsm8k and traces, as a ReasoningTrace.

    Raises:
        UsageError: there are no rows, or one is invalid, which is named with file, line and reason.
    """
    row = None
    for row in rows:
        yield parse_example(read_row(format, row), row.where)
    if row is None:
        raise UsageError("the file holds no examples; a trainset needs at least one")
