"""MLflow's own server on our store, for `podium ui`."""

import os
import socket
import sys
from collections.abc import Mapping

from podium.core.errors import UsageError
from tuning.tracking import store

HOST = "127.0.0.1"


def url(port: int) -> str:
    """The page of experiments; MLflow would open its pages for language-model applications otherwise."""
    return f"http://{HOST}:{port}/#/experiments?workflowType=machine_learning"


def server_command(port: int, uri: str | None = None) -> tuple[list[str], Mapping[str, str]]:
    """(command, environment) of a server that shows the tracking store on 127.0.0.1, made first where there is none.

    Raises:
        UsageError: the port is taken, or the tracking URI is a server already.
    """
    uri = store.tracking_uri(uri)
    if uri.partition(":")[0] in ("http", "https", "databricks"):
        raise UsageError(f"tracking URI {uri!r} is a server already; open it in a browser")
    _check_free(port)
    store.open_client(uri)
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        uri,
        "--host",
        HOST,
        "--port",
        str(port),
    ]
    if uri == store.default_uri():
        command += ["--default-artifact-root", store.default_artifacts().as_uri()]
    # Its job processes are for features we do not use, and cost five processes and 2 GB.
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return command, {**os.environ, **quiet}


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(f"--port {port}: {error.strerror}; choose another, like --port {port + 1}") from error
