"""`--run-dir`: the folder of a run in place of a submission's name."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from podium.core.errors import UsageError

RunDir = Annotated[
    Path | None, typer.Option("--run-dir", metavar="DIR", help="The folder of the run, in place of NAME.")
]


def chosen(name: str | None, run_dir: Path | None) -> str:
    """What was named: exactly one of the two. Raises UsageError otherwise."""
    if (name is None) == (run_dir is None):
        given = f"NAME {name!r} and --run-dir {run_dir} are both given" if name else "no submission is given"
        raise UsageError(f"{given}; give its NAME, or --run-dir with the folder of its run")
    return name if name is not None else str(run_dir)


@contextlib.contextmanager
def submission_at(name: str | None, run_dir: Path | None) -> Iterator[str]:
    """The name of the submission; in this block its folder is `run_dir`, if that is given.

    Raises:
        UsageError: both or neither are given, or the folder has no lock.
    """
    from podium.core.paths import submission_placed
    from podium.core.run_files import LOCK
    from podium.submission.lock import check_lock

    what = chosen(name, run_dir)
    if run_dir is None:
        yield what
        return
    if not (run_dir / LOCK).is_file():
        raise UsageError(f"--run-dir {run_dir}: it has no {LOCK}; give the folder that `podium promote --as NAME` made")
    lock = check_lock(run_dir / LOCK)
    with submission_placed(lock.name, run_dir):
        yield lock.name
