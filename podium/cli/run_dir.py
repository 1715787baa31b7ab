"""`--run-dir`: the folder of a run in place of a submission's name."""

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
        given = f"NAME {name!r} and --run-dir {run_dir}" if name else "neither NAME nor --run-dir"
        raise UsageError(f"{given} given, must be one of the two")
    return name if name is not None else str(run_dir)


def submission_at(name: str | None, run_dir: Path | None) -> str:
    """The name of the submission; its folder is `run_dir`, if that is given. Raises UsageError: it holds no lock."""
    from podium.core.paths import place_submission
    from podium.core.run_files import LOCK
    from podium.submission.lock import check_lock

    what = chosen(name, run_dir)
    if run_dir is None:
        return what
    if not (run_dir / LOCK).is_file():
        raise UsageError(f"--run-dir {run_dir}: it has no {LOCK}; give the folder that `podium promote --as NAME` made")
    lock = check_lock(run_dir / LOCK)
    place_submission(lock.name, run_dir)
    return lock.name
