"""Fixtures that every folder shares."""

import os
import signal
from pathlib import Path

import pytest

# The suite shares two cores with the worker processes that it starts.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs; so would be what the tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PODIUM_HOME with its own workspace; shipped search spaces and evalsets are still found."""
    monkeypatch.setenv("PODIUM_HOME", str(tmp_path))
    monkeypatch.delenv("PODIUM_WORKSPACE", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real data; a selected `realdata` test fails without it."""
    folder = os.environ.get("PODIUM_REALDATA")
    if not folder or not Path(folder).is_dir():
        pytest.fail(f"PODIUM_REALDATA={folder!r} is not a folder; name the one that holds gsm8k/ and stories15m/")
    return Path(folder)
