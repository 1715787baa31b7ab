"""Real attacks: contained, with the reason, the parent unharmed, nothing left running."""

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from eval.sandbox.lockdown import LAYERS
from eval.sandbox.sandbox import Limits, Sandbox, run_program, run_programs
from podium.core.errors import PodiumError, UsageError

# CPU seconds end what computes, however busy the machine is; wall seconds end only what sleeps.
TIGHT = Limits(wall_s=60.0, cpu_s=1, memory_bytes=128 << 20, output_bytes=100_000)
TRANSPOSE = "def solve(grid):\n    return [list(row) for row in zip(*grid)]\n"
SECRET = "the-secret-that-must-not-leak"
REFUSED = "Operation not permitted|Permission denied|Too many open files|Resource temporarily unavailable"


def program(body: str) -> str:
    return "import ctypes, os, socket, sys\ndef solve(value):\n" + "".join(f"    {line}\n" for line in body.split("\n"))


def left_behind(sandbox: Sandbox) -> list[int]:
    """Processes, other than the servers, that stand in the folder of one of the sandbox's servers."""
    servers = {s._process.pid: Path(s._folder.name) for s in sandbox._servers.queue if s._process is not None}
    return [pid for folder in servers.values() for pid in standing_in(folder) if pid not in servers]


def standing_in(folder: Path) -> list[int]:
    def stands(pid: str) -> bool:
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == folder
        except OSError:  # gone, a zombie, or another user's
            return False

    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and stands(entry.name)]


def eventually_empty(listing) -> bool:
    """Whether `listing()` becomes empty: the kernel ends a killed process soon, and not at once."""
    end = time.monotonic() + 10
    while listing() and time.monotonic() < end:
        os.sched_yield()
    return not listing()


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(1) as sandbox:
        yield sandbox


@pytest.fixture
def others():
    """A folder as open as can be, with a file in it: what keeps a program out of it is the sandbox alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        Path(folder, "secret.txt").write_text(SECRET)
        Path(folder, "secret.txt").chmod(0o666)
        yield Path(folder)


ATTACKS = {
    "endless loop": ("while True: pass", "used more than 1 s of CPU"),
    "signal ignored": (
        "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        "used more than 1 s of CPU",
    ),
    "memory balloon": ("hoard = []\nwhile True: hoard.append(bytearray(1 << 20))", "line 4: MemoryError"),
    "one huge object": ("return len(bytearray(1 << 33))", "line 3: MemoryError"),
    "1 GB printed": ("for _ in range(1 << 20): print('x' * 1023)", "wrote more than 100000 bytes"),
    "1 GB to stderr": ("for _ in range(1 << 20): sys.stderr.write('x' * 1024)", "wrote more than 100000 bytes"),
    "a huge answer": ("return 'x' * (1 << 24)", "wrote more than 100000 bytes"),
    "os._exit": ("os._exit(7)", "exited with status 7 before it answered"),
    "sys.exit": ("sys.exit('bye')", "line 3: SystemExit: bye"),
    "deep recursion": ("return solve(value)", "line 3: RecursionError"),
    "deeper recursion": (
        "sys.setrecursionlimit(1 << 30)\nreturn solve(value)",
        "MemoryError|SIGSEGV|used more than 1 s of CPU|RecursionError",
    ),
    "crash": ("ctypes.string_at(0)", "killed by SIGSEGV"),
    "socket": ("socket.socket()", REFUSED),
    "one fork": ("os.fork()", REFUSED),
    "subprocess": ("import subprocess; subprocess.run(['/bin/true'])", REFUSED),
    "threads": ("import threading; threading.Thread(target=print).start()", "can't start new thread"),
    "kill the parent": ("os.kill(os.getppid(), 9)", REFUSED),
    "kill the group": ("os.killpg(os.getpgid(os.getppid()), 9)", REFUSED),
}


@pytest.mark.parametrize(("body", "expected"), ATTACKS.values(), ids=ATTACKS)
def test_attack_is_contained_with_a_reason(sandbox, body, expected):
    memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = sandbox.run(program(body), [[[1]]], limits=TIGHT)
    assert result.outputs == (None,)
    assert re.search(expected, result.errors[0]), result.errors[0]
    assert left_behind(sandbox) == []
    # Unharmed: it has not grown, and the next program runs as if nothing had been.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kb < 50_000
    assert sandbox.run(TRANSPOSE, [[[1, 2]]], limits=TIGHT).outputs == ([[1], [2]],)


def test_endless_sleep(sandbox):
    result = sandbox.run(program("import time; time.sleep(1000)"), [0], limits=Limits(wall_s=0.5))
    assert result.errors == ("ran longer than 0.5 s",)
    assert left_behind(sandbox) == []


def test_fork_bomb(sandbox):
    # First that the very first fork is refused: then no number of them can matter.
    mild = sandbox.run(program("return os.fork()"), [0], limits=TIGHT)
    assert mild.outputs == (None,) and left_behind(sandbox) == []
    bomb = program("while True:\n    try: os.fork()\n    except OSError: pass")
    result = sandbox.run(bomb, [0], limits=TIGHT)
    assert result.errors == ("used more than 1 s of CPU",)
    assert left_behind(sandbox) == []


def test_daemonised_child_is_never_born(sandbox):
    daemon = "pid = ctypes.CDLL(None).fork()\nif pid == 0:\n    os.setsid()\n    while True: pass\nreturn pid"
    result = sandbox.run(program(daemon), [0], limits=TIGHT)
    assert result.outputs in ((-1,), (None,))  # -1 is libc's refusal; None where Python refuses ctypes
    assert left_behind(sandbox) == []


def test_the_network_is_out_of_reach_of_native_code(sandbox):
    result = sandbox.run(program("return ctypes.CDLL(None).socket(2, 1, 0)"), [0], limits=TIGHT)
    assert result.outputs in ((-1,), (None,))


READS = {
    "open": "return open(value + '/secret.txt').read()",
    "list": "return os.listdir(value)",
    "native": "return ctypes.CDLL(None).open((value + '/secret.txt').encode(), 0)",
}
WRITES = {
    "create": "open(value + '/new', 'w').write('x')",
    "overwrite": "open(value + '/secret.txt', 'w').write('x')",
    "truncate": "os.truncate(value + '/secret.txt', 0)",
    "mkdir": "os.mkdir(value + '/new')",
    "delete": "os.unlink(value + '/secret.txt')",
    "rename": "os.rename(value + '/secret.txt', value + '/new')",
    "native": "return ctypes.CDLL(None).unlink((value + '/secret.txt').encode())",
}


@pytest.mark.parametrize("body", READS.values(), ids=READS)
def test_home_cannot_be_read(sandbox, others, body):
    result = sandbox.run(program(body), [str(others)], limits=TIGHT)
    assert result.outputs in ((None,), (-1,))


@pytest.mark.parametrize("body", WRITES.values(), ids=WRITES)
def test_nothing_outside_can_be_written(sandbox, others, body):
    result = sandbox.run(program(body), [str(others)], limits=TIGHT)
    assert result.outputs in ((None,), (-1,))
    assert [path.name for path in others.iterdir()] == ["secret.txt"]
    assert (others / "secret.txt").read_text() == SECRET


def test_its_own_folder_is_empty_and_its_home(sandbox):
    result = sandbox.run(program("return [os.getcwd(), os.environ['HOME']]"), [0])
    folder, home = result.outputs[0]
    assert folder == home and list(Path(folder).iterdir()) == []


IS_OPEN = """
import os
def is_open(fd):
    try:
        os.lseek(fd, 0, os.SEEK_CUR)
    except OSError as error:
        return error.errno == 29  # ESPIPE: a pipe, and open
    return True
"""


def test_no_secret_and_no_handle_is_inherited(monkeypatch, others):
    monkeypatch.setenv("HF_TOKEN", SECRET)
    handle = os.open(others / "secret.txt", os.O_RDONLY)
    os.set_inheritable(handle, True)
    try:
        result = run_program(
            program("return [dict(os.environ), [fd for fd in range(64) if is_open(fd)]]") + IS_OPEN, [0]
        )
    finally:
        os.close(handle)
    environment, handles = result.outputs[0]
    assert list(environment) == ["HOME"]
    assert handles == [0, 1, 2, 3]  # nothing, two that are thrown away, and the report


def in_force(isolation, threat: str) -> str:
    return next(line for line in isolation if line.startswith(f"{threat}: ")).removeprefix(f"{threat}: ")


def test_says_what_isolation_is_in_force(sandbox):
    isolation = sandbox.run(TRANSPOSE, []).isolation
    assert [line.split(":")[0] for line in isolation] == ["network", "files", "processes", "memory", "cpu"]
    assert in_force(isolation, "cpu") == "limit"
    if sys.platform == "linux":
        assert "none" not in str(isolation)


ALONE = [
    (("seccomp",), "network", "seccomp"),
    (("seccomp",), "files", "seccomp"),
    (("seccomp",), "processes", "seccomp"),
    (("limits",), "network", "limit"),
    (("limits",), "files", "limit"),
    (("limits", "user"), "processes", "limit"),
    (("landlock",), "files", "landlock"),
    (("python",), "network", "python"),
    (("python",), "files", "python"),
    (("python",), "processes", "python"),
]
DEED = {"network": "socket.socket()", "files": READS["open"], "processes": "os.fork()"}


@pytest.mark.parametrize(("layers", "threat", "mechanism"), ALONE)
def test_each_layer_holds_alone(others, layers, threat, mechanism):
    with Sandbox(1, layers=layers) as sandbox:
        result = sandbox.run(program(DEED[threat]), [str(others)], limits=TIGHT)
        if in_force(result.isolation, threat) == "none":
            pytest.skip(f"this machine does not permit {mechanism}")
        assert in_force(result.isolation, threat) == mechanism
        assert re.search(REFUSED, result.errors[0])
        assert left_behind(sandbox) == []


def test_no_network_namespace_is_shared(others):
    del others
    routes = program("return [name for _, name in socket.if_nameindex()]")
    with Sandbox(1, layers=("namespace",)) as sandbox:
        result = sandbox.run(routes, [0], limits=TIGHT)
        if in_force(result.isolation, "network") == "none":
            pytest.skip("this machine does not permit a network namespace")
        assert result.outputs == (["lo"],)


def test_a_program_that_kills_its_server_costs_itself_only():
    # Only without the layers that refuse the signal can it do so at all.
    suicide = program("os.kill(os.getppid(), 9)\nwhile True: pass")
    with Sandbox(1, layers=("limits",)) as sandbox:
        folders = []
        assert sandbox.run(TRANSPOSE, [[[1]]]).outputs == ([[1]],)
        folders.append(Path(sandbox._servers.queue[0]._folder.name))
        result = sandbox.run(suicide, [0], limits=TIGHT)
        assert result.outputs == (None,) and result.errors == ("the process that ran it was lost",)
        assert eventually_empty(lambda: standing_in(folders[0])) and not folders[0].exists()
        assert sandbox.run(TRANSPOSE, [[[1, 2]]]).outputs == ([[1], [2]],)


def test_nothing_is_left_when_the_caller_is_killed():
    caller = (
        "from eval.sandbox.sandbox import *\n"
        "with Sandbox(1) as sandbox:\n"
        "    sandbox.run('def solve(v): return v', [1])\n"
        "    print(sandbox._servers.queue[0]._folder.name, flush=True)\n"
        "    sandbox.run('import time\\ndef solve(v): time.sleep(600)', [1], limits=Limits(wall_s=600))\n"
    )
    here = Path(__file__).resolve().parents[3]
    with subprocess.Popen([sys.executable, "-c", caller], cwd=here, stdout=subprocess.PIPE, text=True) as process:
        folder = Path(process.stdout.readline().strip())
        assert eventually_empty(lambda: len(standing_in(folder)) < 2 and process.poll() is None)
        process.send_signal(signal.SIGKILL)
    assert eventually_empty(lambda: standing_in(folder))
    folder.rmdir()


def test_close_ends_the_servers_and_removes_their_folders():
    with Sandbox(2) as sandbox:
        sandbox.run_many([(TRANSPOSE, [[[1]]])] * 4)
        servers = [s for s in sandbox._servers.queue if s._process is not None]
        pids, folders = [s._process.pid for s in servers], [Path(s._folder.name) for s in servers]
        assert all(folder.exists() for folder in folders)
    assert not any(folder.exists() for folder in folders)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_many_programs_keep_their_order():
    programs = [(f"def solve(n):\n    return n * {i}", [1, 2]) for i in range(20)]
    results = run_programs(programs, workers=2)
    assert [result.outputs for result in results] == [(i, 2 * i) for i in range(20)]


def test_answers_before_the_end_are_kept(sandbox):
    result = sandbox.run(program("if value == 2: os._exit(3)\nreturn value"), [0, 1, 2, 3], limits=TIGHT)
    assert result.outputs == (0, 1, None, None)
    assert result.errors == (None, None) + ("exited with status 3 before it answered",) * 2


def test_an_error_on_one_input_does_not_cost_the_others(sandbox):
    result = sandbox.run("def solve(n):\n    return 6 // n", [1, 0, 3])
    assert result.outputs == (6, None, 2)
    assert result.errors == (None, "line 2: ZeroDivisionError: integer division or modulo by zero", None)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def solve(", "line 1: SyntaxError: '(' was never closed"),
        ("x = 1", "the program defines no function 'solve'"),
        ("solve = 1", "the program defines no function 'solve'"),
        ("import podium", "line 1: ModuleNotFoundError: No module named 'podium'"),
        ("\nraise SystemExit", "line 2: SystemExit"),
        ("def solve(v): return float('nan')", "the output is not JSON: Out of range float values"),
        ("def solve(v): return {1}", "the output is not JSON: 'set' object has no attribute 'tolist'"),
        ("def solve(v):\n    a = []; a.append(a); return a", "the output is not JSON: Circular reference detected"),
        ("import os\ndef solve(v): os.write(3, b'[[[' * 30000 + b'\\n')", "the output is not readable as JSON (nested"),
        (
            "import os\ndef solve(v): os.write(3, b'{\"output\": NaN}\\n')",
            "the output is not readable as JSON (NaN is no finite number)",
        ),
        ("import os\ndef solve(v): os.write(3, b'7\\n')", "the output is not a JSON object"),
        ("import os\ndef solve(v): os.write(3, b'\\xff\\n')", "the output is not JSON"),
    ],
)
def test_a_program_without_an_answer(sandbox, source, expected):
    result = sandbox.run(source, [1], limits=TIGHT)
    assert result.outputs == (None,) and result.errors[0].startswith(expected)


def test_numpy_is_there_and_its_arrays_are_answers(sandbox):
    source = "import numpy as np\ndef solve(grid):\n    return np.rot90(np.array(grid))"
    assert sandbox.run(source, [[[1, 2], [3, 4]]]).outputs == ([[2, 4], [1, 3]],)


def test_a_package_that_was_asked_for_is_there_with_what_the_warm_up_left():
    source = "import {}\ndef solve(x):\n    {}.seen = getattr({}, 'seen', 0) + x\n    return {}.seen"
    program = source.replace("{}", "yaml")
    with Sandbox(1, packages=["yaml"], warm_up=(program, [40])) as warm:
        assert warm.run(program, [1, 1]).outputs == (41, 42)
        assert warm.run(program, [1]).outputs == (41,)  # a program changes its own copy
        (error,) = warm.run(source.replace("{}", "markupsafe"), [1]).errors
    assert error is not None and "No module named 'markupsafe'" in error


def test_the_same_program_gives_the_same_answer():
    source = "import random\ndef solve(n):\n    return [random.random(), list({'a', 'b', 'c', 'd'})]"
    assert run_program(source, [1, 1]).outputs == run_program(source, [1, 1]).outputs


def test_limits_are_checked():
    with pytest.raises(UsageError, match=r"sandbox limit wall_s=0, must be > 0 and finite"):
        Limits(wall_s=0)


def test_time_that_is_up_before_the_first_line(sandbox):
    result = sandbox.run(TRANSPOSE, [[[1]]], limits=Limits(wall_s=1e-9))
    assert result.outputs == (None,) and result.errors == ("ran longer than 1e-09 s",)


def test_a_program_is_not_run_where_the_lock_fails():
    # A memory limit that no system accepts stands for whatever may go wrong there.
    with Sandbox(1) as sandbox, pytest.raises(PodiumError, match=r"could not be locked: OverflowError.*was not run"):
        sandbox.run(TRANSPOSE, [[[1]]], limits=Limits(memory_bytes=1 << 80))


def test_a_sandbox_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setattr("eval.sandbox.sandbox.START", "raise OSError('no such luck')")
    with pytest.raises(PodiumError, match="the sandbox did not start: OSError: no such luck; programs cannot be run"):
        run_program(TRANSPOSE, [])


def test_layers_have_names_the_jail_knows():
    assert set(LAYERS) == {"namespace", "user", "limits", "landlock", "seccomp", "python"}
