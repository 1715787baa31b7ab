"""`metrics.jsonl`: one line per logged step, cut back when a run resumes from an earlier step."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from podium.core.errors import PodiumError
from podium.core.files import to_line, write_jsonl


class MetricsLog:
    """Appends lines with at least a `step`. A line that a crash left incomplete is dropped when the run resumes."""

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
        """Every complete line; none if there is no file."""
        if not self.path.is_file():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8").split("\n"):
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                break  # the end of the file, or a line that a crash left incomplete
        return found

    def cut(self, keep: Callable[[int], bool]) -> None:
        """Drop the lines of the steps that `keep` rejects. Raises PodiumError if the new file cannot be written."""
        if self.path.is_file():
            write_jsonl(self.path, [line for line in self.lines() if keep(line["step"])])
