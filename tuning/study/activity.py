"""What the worker of a trial is doing, in a file of the trial's folder, for the table that another process shows."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from podium.core.duration import format_duration
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_json, write_json
from podium.core.progress import Activity, heard_by
from tuning.study.files import ACTIVITY_FILE


@contextlib.contextmanager
def told_in(folder: Path) -> Iterator[None]:
    """Until the context ends, the file in `folder` says what this process is doing, and since when."""
    path, told = folder / ACTIVITY_FILE, ""

    def tell(activity: Activity | None) -> None:
        nonlocal told
        what = activity.what if activity else ""
        if what and what != told:
            told = what
            with contextlib.suppress(PodiumError):  # a full disk; whoever looks sees a little less
                write_json(path, {"what": what, "since_s": time.time()})

    try:
        with heard_by(tell):
            yield
    finally:
        path.unlink(missing_ok=True)


def activity_of(folder: Path, now_s: float) -> str | None:
    """`compiling train (1x8x48), 12.0 s`; None if nothing is being done that already takes a second."""
    try:
        found = read_json(folder / ACTIVITY_FILE)
        took_s = int(now_s - found["since_s"])
    except (UsageError, OSError, KeyError, TypeError):  # none, or a damaged one
        return None
    return f"{found['what']}, {format_duration(float(took_s))}" if took_s >= 1 else None
