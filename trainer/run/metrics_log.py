"""`metrics.jsonl`: one line each logged step, whole lines only, cut back when a run resumes from an earlier step."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from podium.core.errors import PodiumError
from podium.core.files import to_line, write_jsonl


class MetricsLog:
    """Appends lines that hold at least a `step`. A line that a crash cut short is dropped when the run resumes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, line: dict[str, Any]) -> None:
        """Raises PodiumError when the disk refuses it, ValueError for NaN, which is never a metric."""
        text = to_line(line)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)  # one write of a short line: on disk whole or not at all, but for a full disk
        except OSError as error:
            raise PodiumError(
                f"cannot write {self.path}: {error.strerror or error}; free some disk space, then use --resume"
            ) from error

    def lines(self) -> list[dict[str, Any]]:
        if not self.path.is_file():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8").split("\n"):
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                break  # the end of the file, or the line that a crash cut short
        return found

    def cut(self, keep: Callable[[int], bool]) -> None:
        """Drop the lines of every step that `keep` refuses. Raises PodiumError when the disk refuses the new file."""
        if self.path.is_file():
            write_jsonl(self.path, [line for line in self.lines() if keep(line["step"])])
