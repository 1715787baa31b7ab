"""Fixtures that every folder shares."""

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pytest

# The suite shares two cores with the worker processes that it starts.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("PODIUM_PLOTS", "off")  # drawing takes seconds per sweep; the tests of plots switch it on
# The compiler takes most of the suite's time. With these flags it takes less than half of it, and the programs are
# slower by a factor that a few steps do not show. `make test-all` compiles as a user's process does.
FAST_COMPILE = ["--xla_backend_optimization_level=0", "--xla_cpu_parallel_codegen_split_count=1"]
# JAX 0.11 no longer knows this one, and XLA ends the process at a flag that it does not know.
if version("jaxlib").startswith("0.10."):
    FAST_COMPILE.append("--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("XLA_FLAGS", " ".join(FAST_COMPILE))
# Without the settings of who runs the tests.
os.environ["XDG_CONFIG_HOME"] = str(Path(tempfile.gettempdir()) / "podium-tests-config")
# What a shell starts in the background ignores SIGINT, and nohup ignores SIGHUP; so would what the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# JAX keeps every program in its cache on disk, and the folder's path is not part of a key.
COMPILE_CACHE = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",
    "PODIUM_COMPILE_CACHE": "off",  # one folder per workspace would share nothing
}

LONGEST = (
    "test_command_blocks.py",
    "tuning/backends/test_ray.py",
    "trainer/model/test_lora_variants.py",
    "trainer/run/test_training_run.py",
    "trainer/device/test_sharding.py",
    "trainer/model/test_decoder.py",
    "tuning/bridge/test_arc_population.py",
    "cli/test_sweep.py",
    "cli/test_demo.py",
    "submission/test_run_once.py",
    "trainer/step/test_train_step.py",
    "cli/test_train.py",
    "trainer/decoding/test_generate.py",
    "trainer/model/test_parity.py",
    "trainer/model/test_lora.py",
    "tuning/study/test_durability.py",
    "eval/sandbox/test_sandbox.py",
)


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first, so that no process works alone at the end of a run."""
    order = {Path(__file__).parent / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PODIUM_HOME with its own workspace; shipped search spaces and evalsets are still found."""
    monkeypatch.setenv("PODIUM_HOME", str(tmp_path))
    monkeypatch.delenv("PODIUM_WORKSPACE", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


MakeOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """`make_once("name", make)` calls `make(folder)` once per session; the other processes of xdist wait for it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def once(name: str, make: Callable[[Path], None]) -> Path:
        folder, made = shared / name, shared / f"{name}.made"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                folder.mkdir()
                make(folder)
                made.touch()
        return folder

    return once


@pytest.fixture(scope="session")
def migrated(make_once: MakeOnce) -> Path:
    """An MLflow store without runs: making one takes seconds, copying it no time."""

    def migrate(folder: Path) -> None:
        from tuning.tracking.store import open_client

        open_client(f"sqlite:///{folder / 'mlflow.db'}")

    return make_once("migrated", migrate) / "mlflow.db"


@pytest.fixture(scope="session")
def finished(make_once: MakeOnce) -> Path:
    """The home where submission `done` of tests/submission/small.py is complete. Not to be changed."""
    from tests.submission.small import write_finished

    return make_once("finished", write_finished)


@pytest.fixture
def store(home: Path, migrated: Path) -> Path:
    """The migrated store where sweeps of `home` look for it."""
    (home / "workspace").mkdir(exist_ok=True)
    return Path(shutil.copy(migrated, home / "workspace" / "mlflow.db"))


@pytest.fixture
def set_today(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`set_today("2026-01-02")`: the day on which runs, studies and locks are made from here on."""

    def set_day(day: str) -> None:
        monkeypatch.setattr("trainer.run.chat_date.today", lambda: date.fromisoformat(day))

    return set_day


@pytest.fixture(scope="session")
def clock_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the tiny tokenizer and a chat template that writes the day, as Llama 3's does."""
    from trainer.model.sources import TINY

    folder = tmp_path_factory.mktemp("clock")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(TINY / name, folder / name)
    turns = "{% for turn in messages %}{{ turn['content'] }}\n{% endfor %}"
    (folder / "chat_template.jinja").write_text("{{ strftime_now('%d%m%y') }} " + turns)
    return str(folder)


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real data; a selected `realdata` test fails without it."""
    folder = os.environ.get("PODIUM_REALDATA")
    if not folder or not Path(folder).is_dir():
        pytest.fail(f"PODIUM_REALDATA={folder!r} is not a folder; name the one that holds gsm8k/ and stories15m/")
    return Path(folder)
