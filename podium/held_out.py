"""Splits a data file into the examples of a trainset and the items of an evalset."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from eval.sets.evalset import Evalset, check_new, write_evalset
from eval.sets.holdout import hold_out
from eval.sets.importers import import_samples
from podium.core.bad_rows import BadRows
from podium.core.formats import Format
from podium.core.records import Example
from podium.core.tables import Row
from trainer.data.importers import import_examples


def held_out(
    rows: list[Row], format: Format, path: Path, holdout: str, bad: BadRows, replace: bool = False
) -> tuple[Iterator[Example], Callable[[], Evalset]]:
    """The examples of the trainset, and a call that writes the others as the evalset at `path`.

    Raises UsageError as `hold_out` does, or for a malformed row that `bad` does not skip.
    """
    check_new(path, replace)
    examples = list(import_examples(rows, format, bad))
    rows = [row for row in rows if row.number not in bad.numbers]
    parts = hold_out(examples, holdout)
    samples = import_samples([rows[place] for place in parts.held], path.stem, format, bad)
    return (examples[place] for place in parts.kept), partial(write_evalset, path, samples, replace)
