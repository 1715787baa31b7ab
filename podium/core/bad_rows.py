"""The malformed rows of a data file: refused with their number, or left out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from podium.core.errors import UsageError
from podium.core.tables import Row

T = TypeVar("T")


@dataclass
class BadRows:
    """The rows that could not be converted so far. `skip` leaves them out; without it, they are an error."""

    skip: bool = False
    numbers: set[int] = field(default_factory=set)
    first: str = ""  # place and reason

    def good(self, rows: Iterable[Row], convert: Callable[[Row], T]) -> Iterator[T]:
        """What `convert` makes of each row for which it raises no UsageError.

        Raises:
            UsageError: after the last row, if one was bad and `skip` is false, or if all were; it names the first.
        """
        n_rows = n_good = 0
        for n_rows, row in enumerate(rows, start=1):  # noqa: B007
            try:
                value = convert(row)
            except UsageError as error:
                self.numbers.add(row.number)
                self.first = self.first or str(error)
                continue
            n_good += 1
            if self.skip or not self.numbers:
                yield value
        if self.numbers and not n_good:
            raise UsageError(self.first)
        if self.numbers and not self.skip:
            n_bad = f"{len(self.numbers)} of {n_rows}"
            raise UsageError(f"{self.first}; bad rows: {n_bad}; mend them, or leave them out by --skip-bad")
