"""A real `mlflow server` on this machine, which tests can stop and restart on the same store and port."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

START_TIMEOUT_S = 180


class MlflowServer:
    """`uri` is its address, `store` its sqlite file. It runs from `start` to `stop`."""

    def __init__(self, folder: Path, port: int, store: Path) -> None:
        self.uri, self.store = f"http://127.0.0.1:{port}", store
        self._folder, self._port = folder, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port)]
        command += ["--backend-store-uri", f"sqlite:///{self.store}", "--workers", "1"]
        command += ["--artifacts-destination", (self._folder / "artifacts").as_uri()]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | quiet, stdout=log, stderr=log, start_new_session=True
            )
        accepts = f"until exec 3<>/dev/tcp/127.0.0.1/{self._port}; do :; done"
        waited = subprocess.run(["timeout", str(START_TIMEOUT_S), "bash", "-c", accepts], stderr=subprocess.DEVNULL)
        assert waited.returncode == 0, (self._folder / "server.log").read_text()
        assert self.answers()

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def answers(self) -> bool:
        try:
            with urlopen(f"{self.uri}/health", timeout=60):
                return True
        except (OSError, URLError):
            return False
