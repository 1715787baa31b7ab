"""What MLflow shows of a study, found without writing anything."""

import contextlib
import sqlite3

from tuning.tracking import store
from tuning.tracking.uri import sqlite_file


def shown_trials(study: str, uri: str) -> dict[int, tuple[str, str]] | None:
    """(state, run id) by number of trial; None if MLflow does not know the study. Raises whatever MLflow raises."""
    client = store.open_client(uri)
    runs = store.find_runs(client, store.all_experiments(client), {"study": study})
    tags = [(run.data.tags, run.info.run_id) for run in runs if "trial" in run.data.tags]
    return {int(of["trial"]): (of.get("state", ""), run_id) for of, run_id in tags} if runs else None


def is_damaged(uri: str) -> bool:
    """Whether the store is an SQLite file that cannot be read."""
    path = sqlite_file(uri)
    if path is None or not path.is_file():
        return False
    with contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            return bool(connection.execute("PRAGMA quick_check").fetchone()[0] != "ok")
        except sqlite3.OperationalError:  # another process has it
            return False
        except sqlite3.DatabaseError:
            return True
