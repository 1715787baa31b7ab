import json
import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest

from podium.cli import main as cli


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


def test_a_taken_port_is_one_line(home, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as caught:
            cli.main(["ui", "--port", str(port)])
    assert caught.value.code == 2
    assert (
        capsys.readouterr().err
        == f"error: --port {port}: Address already in use; choose another, like --port {port + 1}\n"
    )
    assert not (home / "workspace").exists()
