"""Runs MLflow's own server on the tracking store, for `podium ui`."""

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from urllib.request import urlopen

from podium.core.errors import PodiumError, UsageError
from podium.core.paths import workspace
from podium.core.redaction import redact
from tuning.tracking import store
from tuning.tracking.description import MACHINE_LEARNING, trials_page
from tuning.tracking.uri import check_tracking_uri, default_artifacts, is_server, tracking_uri

HOST = "127.0.0.1"
NEXT_PORTS = 20  # to try if one is taken
PERIOD_S = 0.2


def url(port: int) -> str:
    """The address of the page of experiments; without the parameter MLflow opens its pages for language-model
    applications."""
    return f"http://{HOST}:{port}/#/experiments?{MACHINE_LEARNING}"


def newest_trials(port: int, uri: str | None = None) -> tuple[str, str] | None:
    """The newest study in the store and the address of the page of its trials; None if there is no study."""
    uri = tracking_uri(uri)
    with _store_usable(uri):
        client = store.open_client(uri)
        found = store.find_runs(client, store.all_experiments(client), {"kind": "study"})  # newest first
    if not found:
        return None
    study = found[0].data.tags["study"]
    return study, f"http://{HOST}:{port}/#{trials_page(study, found[0].info.experiment_id)}"


def free_port(port: int) -> int:
    """`port`, or the next free one if it is taken. Raises UsageError if it may not be used, or none is free."""
    last = min(port + NEXT_PORTS, 65535)
    for candidate in range(port, last + 1):
        try:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, candidate))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UsageError(f"--port {candidate}: {error.strerror}; choose another, like --port 5000") from error
        else:
            return candidate
    raise UsageError(f"--port {port}: it is taken, and so are the next ones up to {last}; choose another")


def serve(
    port: int,
    uri: str | None = None,
    on_ready: Callable[[str], None] = print,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Run MLflow's server until it ends or `stop` says so; `on_ready` gets its address once it answers.

    Creates the store if it does not exist.

    Raises:
        UsageError: the tracking URI cannot be used, or is already a server.
        PodiumError: the server ended by itself.
    """
    command, environment = server_command(port, uri)
    log = workspace() / "mlflow-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as file:
        server = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
    is_ready = False
    try:
        while server.poll() is None and not stop():
            if not is_ready and _answers(port):
                is_ready = True
                on_ready(url(port))
            time.sleep(PERIOD_S)
        if server.poll() and not stop():  # on a terminal, Ctrl-C reaches the server, too
            raise PodiumError(f"MLflow's server ended with exit code {server.returncode}; read {log}")
    finally:
        server.terminate()
        server.wait()


def check_can_serve(uri: str | None = None) -> str:
    """The tracking URI to serve. Raises UsageError if it cannot be used, or is already a server."""
    uri = tracking_uri(uri)
    if is_server(uri):
        raise UsageError(f"tracking URI {redact(uri)!r} is already a server; open it in a browser")
    check_tracking_uri(uri)
    return uri


def server_command(port: int, uri: str | None = None) -> tuple[list[str], Mapping[str, str]]:
    """(command, environment) of a server on 127.0.0.1 that shows the tracking store. Raises UsageError as `serve`."""
    uri = check_can_serve(uri)
    with _store_usable(uri):
        store.open_client(uri)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level error"]
    command += ["--default-artifact-root", default_artifacts().as_uri()]
    # Its job execution starts five processes with 2 GB for features that Podium does not use.
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return command, {**os.environ, **quiet, "PYTHONWARNINGS": "ignore"}


def _store_usable(uri: str) -> AbstractContextManager[None]:
    return store.refusals(f"MLflow cannot use {redact(uri)}")


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://{HOST}:{port}/health", timeout=1):
            return True
    except OSError:
        return False
