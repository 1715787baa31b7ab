"""Imports data files as examples of a trainset. docs/data.md shows a file of each format."""

from collections.abc import Iterable, Iterator

from podium.core.bad_rows import BadRows
from podium.core.formats import Format, read_row
from podium.core.records import Example, parse_example
from podium.core.tables import Row

VERSION = "2"  # of the conversion


def import_examples(rows: Iterable[Row], format: Format, bad: BadRows | None = None) -> Iterator[Example]:
    """Every row as a Conversation; of the formats gsm8k and traces, as a ReasoningTrace.

    Raises:
        UsageError: one is malformed, which is named with file, line and reason, unless `bad` skips it.
    """
    return (bad or BadRows()).good(rows, lambda row: parse_example(read_row(format, row), row.where))
