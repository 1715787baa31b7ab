"""The tracking URI, which says where MLflow keeps its runs."""

import os
import sqlite3
from base64 import b64encode
from contextlib import closing
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from podium.core import settings
from podium.core.errors import UsageError
from podium.core.paths import workspace
from podium.core.redaction import redact
from tuning.study.storage import POSTGRES_DRIVER

EXAMPLE = "sqlite:///mlflow.db"
PROBE_TIMEOUT_S = 3.0
SCHEMES = ("sqlite", "postgresql", "mysql", "http", "https", "databricks")


def tracking_uri(given: str | None = None) -> str:
    """`given`, else the setting, else SQLite in the workspace. Raises UsageError for an unknown scheme."""
    uri = given or settings.get("tracking_uri") or default_uri()
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme not in SCHEMES:
        known = ", ".join(SCHEMES)
        raise UsageError(f"tracking URI {redact(uri)!r}: must begin with one of {known}, like {EXAMPLE}")
    return uri


def check_tracking_uri(uri: str) -> None:
    """Raises UsageError for a tracking URI that cannot be used. A server that does not answer is accepted: it may be
    back in a minute."""
    problem = None
    if uri == default_uri() and (folder := _unwritable(workspace())):  # name the workspace: no URI was chosen
        raise UsageError(f"cannot write to the workspace: {folder}; set PODIUM_WORKSPACE to another folder")
    if (file := sqlite_file(uri)) is not None:
        problem = _file_problem(file)
    elif uri.startswith("http"):
        problem = _server_problem(uri)
    elif uri.startswith("postgresql:") and find_spec("psycopg2") is None:
        problem = f"psycopg2 is not installed; write postgresql+psycopg://, whose driver {POSTGRES_DRIVER} installs"
    if problem:
        raise UsageError(f"tracking URI {redact(uri)!r} refused: {problem}")


def _file_problem(file: Path) -> str | None:
    if file.is_file():
        if not _is_database(file):
            return "the file is not an SQLite database; name another file"
        return None if os.access(file, os.W_OK) else "the file cannot be written; name another file"
    folder = _unwritable(file.absolute().parent)
    return f"{folder} cannot be written; name another folder" if folder else None


def _is_database(file: Path) -> bool:
    # Only SQLite may open the file: closing any other descriptor of it ends the locks that this process has on it.
    try:
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA schema_version")
    except sqlite3.OperationalError:
        return True  # it is locked or cannot be written
    except sqlite3.DatabaseError:
        return False
    return True


def _unwritable(folder: Path) -> Path | None:
    """The folder, or its nearest parent that exists, if that cannot be written; None if it can."""
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return None if os.access(nearest, os.W_OK) and nearest.is_dir() else nearest


def _server_problem(uri: str) -> str | None:
    """A lasting reason why the server cannot be used: it asks for credentials, or is not an MLflow server."""
    request = Request(f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/search?max_results=1")
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD"))
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        request.add_header("Authorization", f"Bearer {token}")
    elif user:
        request.add_header("Authorization", f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}")
    try:
        with urlopen(request, timeout=PROBE_TIMEOUT_S):
            return None
    except HTTPError as error:
        if error.code in (401, 403):
            return (
                f"HTTP {error.code}; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or its --allowed-hosts"
            )
        return f"HTTP {error.code}, so this is not an MLflow server; check the address" if error.code == 404 else None
    except (URLError, OSError, HTTPException):
        return None


def is_server(uri: str) -> bool:
    return uri.partition(":")[0] in ("http", "https", "databricks")


def sqlite_file(uri: str) -> Path | None:
    """The file of an SQLite store; None for other stores, one in memory, and a URI with options, which MLflow opens."""
    is_file = uri.startswith("sqlite:///") and "?" not in uri and uri != "sqlite:///:memory:"
    return Path(uri.removeprefix("sqlite:///")) if is_file else None


def default_uri() -> str:
    return f"sqlite:///{workspace() / 'mlflow.db'}"


def default_artifacts() -> Path:
    return workspace() / "mlartifacts"
