"""Run untrusted Python in a sandbox where it can only compute.

A program is text that defines a function. It runs in a child process without files, network or other processes, with
limits on time, memory and output, and exchanges JSON only. `ProgramResult.isolation` lists the mechanisms in force.
docs/decisions/002-untrusted-code.md explains the design.
"""

import json
import math
import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from eval.sandbox.lockdown import LAYERS
from podium.core.errors import PodiumError, UsageError
from podium.core.json_text import parse_json
from podium.core.plain_values import Unreadable
from podium.core.redaction import one_line

Program = tuple[str, Sequence[Any]]  # (source, inputs)
GRACE_S = 10.0  # beyond a program's own limit, before its server counts as dead
START_S = 60.0
LONGEST_ERROR = 300  # characters
START = "import sys; sys.path.insert(0, sys.argv[1]); from sandbox.server import main; main()"


@dataclass(frozen=True)
class Limits:
    """The limits of one program, for all of its inputs together.

    `memory_bytes` excludes the interpreter's own memory; `output_bytes` covers what the program prints and returns.
    Files and processes have no limit here, because a program gets none.
    """

    wall_s: float = 5.0
    cpu_s: int = 5
    memory_bytes: int = 512 << 20
    output_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < math.inf:
                raise UsageError(f"sandbox limit {name}={value!r}, must be > 0 and finite")


@dataclass(frozen=True)
class ProgramResult:
    """`outputs[i]` is the value that the program returned for input i, or None with the reason in `errors[i]`."""

    outputs: tuple[Any, ...]
    errors: tuple[str | None, ...]
    isolation: tuple[str, ...]  # one line per threat: "network: limit, namespace, seccomp"


class Sandbox:
    """A pool of warm interpreters, started on first use; thread-safe."""

    def __init__(
        self,
        workers: int | None = None,
        *,
        layers: Sequence[str] = LAYERS,
        packages: Sequence[str] = (),
        warm_up: Program | None = None,
    ) -> None:
        """Programs can import NumPy and `packages`. `layers` is for tests of single layers.

        `warm_up` is a program of ours that runs once in every interpreter, unconfined, before the first program: what
        it imports and caches, every program finds.
        """
        self.workers = workers or os.cpu_count() or 1
        self._servers: queue.LifoQueue[_Server] = queue.LifoQueue()
        for _ in range(self.workers):
            self._servers.put(_Server(layers, packages, warm_up))

    def run(
        self, source: str, inputs: Sequence[Any], *, limits: Limits | None = None, entry: str = "solve"
    ) -> ProgramResult:
        """Call the program's function `entry` with each input (a JSON value), in order, in one child process.

        Errors of the program are in the result.

        Raises:
            PodiumError: the sandbox itself could not be started.
        """
        server = self._servers.get()
        try:
            return server.run(source, inputs, limits or Limits(), entry)
        finally:
            self._servers.put(server)

    def run_many(
        self, programs: Iterable[Program], *, limits: Limits | None = None, entry: str = "solve"
    ) -> list[ProgramResult]:
        """Like `run`, with several programs at a time; results are in the order of `programs`."""
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(lambda program: self.run(*program, limits=limits, entry=entry), programs))

    def close(self) -> None:
        """Stop the interpreters; a later run starts new ones."""
        for server in [self._servers.get() for _ in range(self.workers)]:
            server.stop()
            self._servers.put(server)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def run_program(
    source: str, inputs: Sequence[Any], *, limits: Limits | None = None, entry: str = "solve"
) -> ProgramResult:
    """Run one program in a new sandbox. A start takes a third of a second: keep a `Sandbox` for more than a few."""
    with Sandbox(1) as sandbox:
        return sandbox.run(source, inputs, limits=limits, entry=entry)


def run_programs(
    programs: Iterable[Program], *, limits: Limits | None = None, entry: str = "solve", workers: int | None = None
) -> list[ProgramResult]:
    """Run programs in `workers` parallel processes, by default one per core."""
    with Sandbox(workers) as sandbox:
        return sandbox.run_many(programs, limits=limits, entry=entry)


class _Server:
    """Our side of a process that runs `eval/sandbox/server.py`; it starts a new one after the process died."""

    def __init__(self, layers: Sequence[str], packages: Sequence[str], warm_up: Program | None) -> None:
        self._setup = {"layers": list(layers), "modules": list(packages), "warm_up": warm_up}
        self._packages = ("numpy", *packages)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def run(self, source: str, inputs: Sequence[Any], limits: Limits, entry: str) -> ProgramResult:
        request = vars(limits) | {"source": source, "entry": entry, "inputs": list(inputs)}
        line = json.dumps(request, allow_nan=False).encode() + b"\n"
        process = self._start()
        assert process.stdin and process.stdout
        try:
            process.stdin.write(line)
            process.stdin.flush()
            end = json.loads(_line(process.stdout, limits.wall_s + GRACE_S))
            reported = process.stdout.read(end["bytes"])
        except (OSError, ValueError):
            self.stop()
            failed = "the process that ran it was lost"
            return ProgramResult((None,) * len(inputs), (failed,) * len(inputs), ())
        except BaseException:  # such as Ctrl-C: the next program must not read this reply
            self.stop()
            raise
        return _result(reported, len(inputs), _how_it_ended(end, limits))

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.stop()
        self._folder = tempfile.TemporaryDirectory(prefix="podium-sandbox-")
        package = Path(__file__).resolve().parents[1]  # the child imports this package alone, not the packages above it
        process = self._process = subprocess.Popen(
            [sys.executable, "-s", "-S", "-B", "-c", START, str(package)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._folder.name,
            env={"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C reaches us only; the server ends when its stdin closes
        )
        assert process.stdin and process.stdout and process.stderr
        specs = [find_spec(name) for name in self._packages]
        sites = sorted({str(Path(spec.origin).parents[1]) for spec in specs if spec and spec.origin})
        try:
            process.stdin.write(json.dumps(self._setup | {"sites": sites}).encode() + b"\n")
            process.stdin.flush()
            ready = _line(process.stdout, START_S)
        except (OSError, ValueError):
            ready = b""
        if ready != b"ready\n":
            process.kill()
            last = process.stderr.read().decode(errors="replace").strip().split("\n")[-1]
            self.stop()
            raise PodiumError(f"the sandbox did not start: {last or 'no answer'}; programs cannot be run here")
        return process

    def stop(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()  # the kernel kills its child with it
            process.communicate()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _line(stream: IO[bytes], timeout_s: float) -> bytes:
    """The next line, which the sender writes at once; empty at the end of the stream. Raises TimeoutError."""
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    if not poll.poll(timeout_s * 1000):
        raise TimeoutError(f"no answer in {timeout_s:g} s")
    return stream.readline()


def _how_it_ended(end: dict[str, Any], limits: Limits) -> str:
    """Why there is no answer, from how the child ended."""
    status = int(end["status"])
    if end["cut"] == "wall":
        return f"ran longer than {limits.wall_s:g} s"
    if end["cut"] == "output":
        return f"wrote more than {limits.output_bytes} bytes"
    if -status == signal.SIGXCPU or (-status == signal.SIGKILL and end["cpu_s"] >= limits.cpu_s):
        return f"used more than {limits.cpu_s} s of CPU"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exited with status {status} before it answered"


def _result(reported: bytes, n_inputs: int, ended: str) -> ProgramResult:
    """Parse the child's report. Only its first line, written before the program ran, is trusted."""
    lines = reported.split(b"\n")[:-1]  # a last line without a newline was cut off
    first = json.loads(lines[0]) if lines else {"isolation": ()}  # its time ran out before it began
    if "broken" in first:
        raise PodiumError(f"the sandbox could not be locked: {first['broken']}; the program was not run")
    rows = [_row(line) for line in lines[1 : n_inputs + 1]]
    failed = str(rows[0].get("failed", ended)) if rows else ended
    rows += [{"error": failed}] * (n_inputs - len(rows))
    errors = tuple(None if "output" in row else one_line(str(row.get("error", failed)), LONGEST_ERROR) for row in rows)
    return ProgramResult(tuple(row.get("output") for row in rows), errors, tuple(first["isolation"]))


def _row(line: bytes) -> dict[str, Any]:
    try:
        row = parse_json(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        row = {"error": f"the output is not JSON: {error}"}
    except Unreadable as error:
        row = {"error": f"the output is {error}"}
    return row if isinstance(row, dict) else {"error": "the output is not a JSON object"}
