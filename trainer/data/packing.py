"""Packs several examples into one row, so that a batch has little padding."""

from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np


def pack(lengths: Sequence[int], row_length: int) -> list[list[int]]:
    """The examples of each row, by best fit decreasing: the longest first, each into the fullest row that has room.

    The result depends on the lengths only. An example never spans two rows; none may be longer than `row_length`.
    """
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (free tokens, row), the fullest row first
    for example in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        at = bisect_left(room, (lengths[example], 0))
        left, row = room.pop(at) if at < len(room) else (row_length, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(example)
        insort(room, (left - lengths[example], row))
    return rows
