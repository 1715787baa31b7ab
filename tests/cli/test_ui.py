import json
import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest


@pytest.mark.slow
def test_the_ui_shows_the_store_on_this_machine_alone(home):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "podium.cli.main", "ui", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert server.stdout.readline() == "starting MLflow's server (about 10 seconds) ...\n"
        shown = f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning (Ctrl-C stops it)\n"
        assert server.stdout.readline() == f"studies, trials and submissions: {shown}"
        search = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/search?max_results=10"
        with urlopen(search) as answer:
            assert "Default" in {experiment["name"] for experiment in json.load(answer)["experiments"]}
        assert (home / "workspace" / "mlflow.db").is_file()
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate()
    assert server.returncode == 130


def test_the_next_port_is_taken_and_said(home, podium, monkeypatch):
    from tuning.tracking import server

    served = []
    monkeypatch.setattr(server, "serve", lambda port, **_: served.append(port))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = podium("ui", "--port", port)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == f"port {port} is taken; using {served[0]}"
    assert port < served[0] <= port + server.NEXT_PORTS
    assert not (home / "workspace").exists()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("ftp://x", "tracking URI 'ftp://x': must begin with one of sqlite, "),
        ("http://127.0.0.1:9", "tracking URI 'http://127.0.0.1:9' is already a server; open it in a browser"),
    ],
)
def test_a_store_that_cannot_be_served_is_one_line(podium, monkeypatch, uri, message):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    done = podium("ui")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {message}")
