"""The looks at holdouts: which decisions were made on which, in one append-only file of the workspace.

A holdout wears out: whoever looks at it often enough finds something by chance. So each look is counted, and the gate
asks for more at each.
"""

from pathlib import Path

from eval.sets.evalset import Evalset
from podium.core.errors import PodiumError
from podium.core.files import append_whole, read_jsonl, to_line
from podium.core.paths import workspace
from podium.core.records import Record, parse_record


class Look(Record):
    """One line: a comparison, identified by `runs`, a hash of all runs in it."""

    evalset: str
    sha256: str  # of the evalset's file
    runs: str
    study: str
    at: str  # UTC, ISO 8601


def looks_file() -> Path:
    return workspace() / "holdout_looks.jsonl"


def looks_at(evalset: Evalset) -> list[Look]:
    """The looks at the holdout of this evalset, in order.

    An evalset counts as the same by its name or by its content: neither a copy nor an edit makes a holdout new.

    Raises:
        UsageError: the file is damaged.
    """
    path = looks_file()
    if not path.is_file():
        return []
    known = [parse_record(Look, value, f"{path}:{number}") for number, value in read_jsonl(path)]
    return [look for look in known if evalset.name == look.evalset or evalset.sha256 == look.sha256]


def look_number(evalset: Evalset, runs: str) -> int:
    """Which look, from 1, a comparison of these runs is: the next one, or the same as before if it was made before."""
    made = [look.runs for look in looks_at(evalset)]
    return made.index(runs) + 1 if runs in made else len(made) + 1


def record_look(look: Look, evalset: Evalset) -> None:
    """Append the look, unless the same comparison was made before. Raises PodiumError if that cannot be written."""
    if any(known.runs == look.runs for known in looks_at(evalset)):
        return
    path = looks_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as file:  # one write in append mode: two processes cannot mix their lines
            append_whole(file, to_line(look.model_dump(mode="json")).encode())
    except OSError as error:
        raise PodiumError(f"cannot record the look at the holdout in {path}: {error.strerror or error}") from error
