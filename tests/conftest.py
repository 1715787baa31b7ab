"""Fixtures that every folder shares."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

# The suite shares two cores with the worker processes that it starts.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# The compiler takes most of the suite's time: a quarter less with LLVM at -O1 and one module per program. Such programs
# are as fast as those of -O3 on models this small. `make test-all` compiles as a user's process does.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1 --xla_cpu_parallel_codegen_split_count=1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs; so would be what the tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)

# JAX keeps every program in its cache on disk, and the folder's path is not part of a key.
COMPILE_CACHE = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",
    "PODIUM_COMPILE_CACHE": "off",  # one folder per workspace would share nothing
}


def pytest_configure(config: pytest.Config) -> None:
    """Give the session one folder of compiled programs, or take the one that JAX_COMPILATION_CACHE_DIR names.

    The environment passes it on to the workers of xdist and to every child process. A test of the cache that Podium
    keeps in a workspace removes PODIUM_COMPILE_CACHE from the environment.
    """
    os.environ.update(COMPILE_CACHE)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # a worker of xdist has the environment of its controller
        folder = tempfile.TemporaryDirectory(prefix="podium-compiled-", ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name


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
