"""A pretend session is limited as Kaggle's are: one test for each way in which a notebook fails by itself."""

from pathlib import Path

import nbformat
import pytest

from podium.core.clock import FakeClock
from podium.submission.rehearsal.child import EXECUTED, INPUT, NOTEBOOK, SCRATCH, WORKING
from podium.submission.rehearsal.outcome import Limits, Verdict
from podium.submission.rehearsal.session import _prefix, _size, run_session

WAIT = "import threading; threading.Event().wait()"
# Ends by itself when SIGTERM comes, and leaves a file, as a submission does.
EVIDENCE = f"""
import os, signal
def end(*_):
    open(os.environ["PODIUM_KAGGLE_WORKING"] + "/evidence", "w").write("there")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
open(os.environ["PODIUM_KAGGLE_WORKING"] + "/begun", "w").close()
{WAIT}
"""
BIG = Limits(time_s=600)


@pytest.fixture
def folder(tmp_path):
    for name in (INPUT, WORKING, SCRATCH):
        (tmp_path / name).mkdir()
    (tmp_path / INPUT / "data.txt").write_text("data")
    return tmp_path


def run(folder, source, limits=BIG, clock=None, is_rerun=False):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in source])
    nbformat.write(notebook, folder / NOTEBOOK)
    return run_session(folder, limits, is_rerun, clock)


def test_an_exception_is_its_line(folder):
    ended = run(folder, ["1 + 1", "raise ValueError('no such thing\\nmore')", "open('never', 'w')"])
    assert (ended.verdict, ended.line) == (Verdict.EXCEPTION, "ValueError: no such thing")
    assert not (folder / WORKING / "never").exists()
    assert nbformat.read(folder / EXECUTED, as_version=4).cells[1].outputs[0].ename == "ValueError"


ISOLATED = """
import os, socket
from pathlib import Path
for name in ("HF_TOKEN", "KAGGLE_KEY", "PODIUM_HOME"):
    assert name not in os.environ, name
assert os.environ["KAGGLE_KERNEL_RUN_TYPE"] == "Batch" and os.environ["KAGGLE_IS_COMPETITION_RERUN"] == "1"
inputs = Path(os.environ["PODIUM_KAGGLE_INPUT"])
assert (inputs / "data.txt").read_text() == "data"
for write in (lambda: (inputs / "data.txt").write_text("x"), lambda: (inputs / "new").mkdir()):
    try:
        write()
    except OSError as error:
        assert error.errno == 30, error  # a read-only file system
    else:
        raise AssertionError("written")
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError as error:
    assert "unreachable" in str(error), error
else:
    raise AssertionError("connected")
"""


@pytest.mark.skipif(not _prefix(), reason="this machine allows no namespaces, which the session then says")
def test_inputs_are_read_only_and_there_is_no_network_and_no_secret(folder, monkeypatch):
    for name in ("HF_TOKEN", "KAGGLE_KEY", "PODIUM_HOME"):
        monkeypatch.setenv(name, "secret")
    ended = run(folder, [ISOLATED], is_rerun=True)
    assert (ended.verdict, ended.line) == (None, "every cell ran")
    assert ended.isolation == ("inputs: a read-only mount", "network: none")
    assert (folder / INPUT / "data.txt").read_text() == "data"


def test_too_much_memory(folder):
    ended = run(folder, [f"held = b'x' * 700_000_000\n{WAIT}"], Limits(time_s=600, memory_bytes=600_000_000))
    assert ended.verdict is Verdict.COMPUTE
    assert ended.line.endswith("GB of memory, more than 0.60 GB")


@pytest.mark.slow
def test_too_much_on_the_disk(folder):
    ended = run(folder, [f"open('big', 'wb').write(bytes(30_000_000))\n{WAIT}"], Limits(600, disk_bytes=20_000_000))
    assert ended.verdict is Verdict.COMPUTE
    assert ended.line.endswith("GB in the working folder, which holds 0.020 GB")


class _UntilBegun(FakeClock):
    """A clock that stands still until the notebook has begun."""

    def __init__(self, folder):
        super().__init__()
        self._begun = folder / WORKING / "begun"

    def now(self):
        if self._begun.exists():
            self.advance(1000.0)
        return super().now()


def test_the_end_of_the_time_is_a_sigterm(folder):
    ended = run(folder, [EVIDENCE], Limits(time_s=600), _UntilBegun(folder))
    assert (ended.verdict, ended.line) == (Verdict.TIMEOUT, "not at its end after 10m 00s")
    assert (folder / WORKING / "evidence").read_text() == "there"


@pytest.mark.slow
def test_what_ignores_the_sigterm_is_killed(folder):
    stubborn = EVIDENCE.replace("end)", "signal.SIG_IGN)", 1)
    ended = run(folder, [stubborn], Limits(time_s=600, grace_s=0.5), _UntilBegun(folder))
    assert ended.verdict is Verdict.TIMEOUT
    assert not (folder / WORKING / "evidence").exists()


def test_a_file_that_goes_while_the_folder_is_looked_at_does_not_count(tmp_path, monkeypatch):
    (tmp_path / "kept").write_bytes(b"12")
    (tmp_path / "gone").write_bytes(b"123")
    original = Path.lstat

    def lstat(path):
        if path.name == "gone":
            raise FileNotFoundError(path)
        return original(path)

    monkeypatch.setattr(Path, "lstat", lstat)
    assert _size(tmp_path) == 2
