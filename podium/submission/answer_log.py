"""Predictions as they are made, so that an interruption loses none: one line each, in the order in which they ended."""

from collections.abc import Sequence
from pathlib import Path

from podium.core.errors import PodiumError, UsageError
from podium.core.files import to_line
from podium.core.json_text import parse_json
from podium.core.plain_values import Unreadable
from podium.core.records import Prediction, parse_record


class AnswerLog:
    """`NAME.partial.jsonl` beside a predictions file, which replaces it when all are made.

    A kill loses no answer. A restart of the machine may lose the newest ones, which are generated again; so is one
    whose line is incomplete, and it spoils no other line.
    """

    def __init__(self, predictions: Path) -> None:
        self.path = predictions.with_suffix(".partial.jsonl")

    def read(self) -> dict[tuple[str, int], Prediction]:
        """The predictions of earlier sessions, by id and sample."""
        lines = self.path.read_bytes().split(b"\n") if self.path.is_file() else []
        found = (_parsed(line) for line in lines)
        return {(prediction.id, prediction.sample): prediction for prediction in found if prediction}

    def append(self, predictions: Sequence[Prediction]) -> None:
        """Hand predictions to the system, in one write. Raises PodiumError if the disk refuses them."""
        rows = (to_line(found.model_dump(mode="json", exclude_none=True)) for found in predictions)
        try:
            with self.path.open("ab") as file:
                # A first line end closes an incomplete line of an earlier session; blank lines are skipped.
                file.write(("\n" + "".join(rows)).encode("utf-8"))
        except OSError as error:
            raise PodiumError(f"cannot write {self.path}: {error.strerror or error}; free some disk space") from error

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)


def _parsed(line: bytes) -> Prediction | None:
    try:
        return parse_record(Prediction, parse_json(line.decode("utf-8")), "line") if line else None
    except (UnicodeDecodeError, Unreadable, UsageError):
        return None
