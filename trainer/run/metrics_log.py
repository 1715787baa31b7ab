"""`metrics.jsonl`: one line per logged step, cut back when a run resumes from an earlier step.

A line that a crash left incomplete, or a disk damaged, costs no other line.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from podium.core.damage import keep_copy
from podium.core.errors import PodiumError
from podium.core.files import to_line, write_jsonl


class MetricsLog:
    """Appends lines, which are JSON objects. A damaged one is dropped when the run resumes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, line: dict[str, Any]) -> None:
        """Raises PodiumError if the file cannot be written, ValueError for NaN, which is never a metric."""
        text = to_line(line)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)  # one write per short line, so that only a full disk leaves part of a line
        except OSError as error:
            raise PodiumError(
                f"cannot write {self.path}: {error.strerror or error}; "
                "free some disk space, then pass --resume to continue"
            ) from error

    def lines(self) -> list[dict[str, Any]]:
        """Every whole line; none if there is no file."""
        return [line for line in self._read().values() if line is not None]

    def damaged(self) -> list[int]:
        """The numbers, from 1, of the lines that a crash left incomplete or a disk damaged."""
        return [number for number, line in self._read().items() if line is None]

    def cut(self, keep: Callable[[int], bool] = lambda _: True) -> Path | None:
        """Drop the lines that are damaged, and those of the steps that `keep` rejects.

        Returns the path under which the file is kept as it was, if a line was damaged. Raises PodiumError if the new
        file cannot be written.
        """
        if not self.path.is_file():
            return None
        lines, kept = self.lines(), keep_copy(self.path) if self.damaged() else None
        write_jsonl(self.path, [line for line in lines if keep(line.get("step", 0))])
        return kept

    def _read(self) -> dict[int, dict[str, Any] | None]:
        """The lines by number; a damaged one is None."""
        if not self.path.is_file():
            return {}
        return {n: _parsed(line) for n, line in enumerate(self.path.read_bytes().split(b"\n"), start=1) if line.strip()}


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The object on a line; None if it is not one."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("step", 0), int) else None
