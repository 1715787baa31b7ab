"""A warm interpreter that forks one child per program; a fork takes a hundredth of the time of a start with NumPy.

Requests are JSON lines on stdin. A reply is a JSON line (how the child ended, how many bytes follow) and then the
child's report, which this process never parses: one line with the isolation in force, then one line per input.
"""

import contextlib
import importlib.machinery
import json
import math
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from .lockdown import Found, describe, enter, lock_down
from .program import REPORT, run, say, write_all

# The modules that a program can import, since it can open no file later. Those of the second-to-last line are
# useless inside, but with them an error names the refused operation instead of an import.
MODULES = """
    abc argparse array ast base64 binascii bisect calendar cmath collections collections.abc contextlib copy
    dataclasses datetime decimal difflib enum fractions functools gc hashlib heapq inspect io itertools json keyword
    logging math numbers operator os os.path pathlib pprint queue random re secrets statistics string struct sys
    textwrap time timeit traceback types typing unicodedata uuid warnings weakref zlib
    ctypes multiprocessing signal socket subprocess tempfile threading
    numpy numpy.fft numpy.lib.stride_tricks numpy.linalg numpy.ma numpy.polynomial numpy.random scipy.ndimage
"""


def main() -> None:
    setup = json.loads(sys.stdin.buffer.readline())
    preload(setup["sites"], setup["modules"], setup["warm_up"])
    found = enter(setup["layers"])
    os.environ.clear()
    os.environ["HOME"] = str(Path.cwd())
    write_all(1, b"ready\n")
    for line in sys.stdin.buffer:
        write_all(1, serve(json.loads(line), setup["layers"], found))


def preload(sites: list[str], packages: list[str], warm_up: list[Any] | None) -> None:
    """Import the modules that programs may use, run the warm-up, then remove every import path."""
    sys.path.extend(sites)
    for name in (*MODULES.split(), *packages):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if warm_up is not None:
        source, inputs = warm_up
        names: dict[str, Any] = {}
        exec(compile(source, "<warm-up>", "exec"), names)
        for value in inputs:
            names["solve"](value)
    sys.path.clear()
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not importlib.machinery.PathFinder]


def serve(request: dict[str, Any], layers: list[str], found: Found) -> bytes:
    """Run one program in a child; returns a line on how the child ended, followed by its report."""
    report, report_end = os.pipe()
    output, output_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(request, layers, found, report_end, output_end)
    os.close(report_end)
    os.close(output_end)
    reported, cut = watch(pid, report, output, request["wall_s"], request["output_bytes"])
    os.close(report)
    os.close(output)
    _, status, usage = os.wait4(pid, 0)
    end = {"cut": cut, "status": os.waitstatus_to_exitcode(status), "cpu_s": usage.ru_utime + usage.ru_stime}
    return json.dumps(end | {"bytes": len(reported)}).encode() + b"\n" + reported


def watch(pid: int, report: int, output: int, wall_s: float, output_bytes: int) -> tuple[bytes, str | None]:
    """Read until the child ends or exceeds a limit; the child is dead on return."""
    deadline, reported, seen, open_pipes = time.monotonic() + wall_s, bytearray(), 0, {report, output}
    cut: str | None = None
    poll = select.poll()
    for descriptor in (0, report, output):
        poll.register(descriptor, select.POLLIN)
    while open_pipes and cut is None:
        left_s = deadline - time.monotonic()
        for descriptor, _ in poll.poll(max(0, math.ceil(left_s * 1000))):
            if descriptor == 0:  # no request can come before the reply, so the parent is gone
                kill(pid)
                sys.exit(0)
            data = os.read(descriptor, 1 << 16)
            seen += len(data)
            if descriptor == report:
                reported += data
            if not data:
                poll.unregister(descriptor)
                open_pipes.remove(descriptor)
        if seen > output_bytes:
            cut = "output"
        elif left_s <= 0 and open_pipes:
            cut = "wall"
    # Both pipes are closed: the child can report nothing more, and its exit status is settled.
    kill(pid)
    return bytes(reported[:output_bytes]), cut


def kill(pid: int) -> None:
    """Kill the child and its process group, in case the layers could not stop it from forking."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def child(request: dict[str, Any], layers: list[str], found: Found, report: int, output: int) -> NoReturn:
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(report, REPORT)
        os.closerange(REPORT + 1, 256)  # the server itself has fewer than a dozen
        say({"isolation": describe(found + lock_down(layers, request["memory_bytes"], request["cpu_s"]))})
    except Exception as error:  # noqa: BLE001 reported; the program does not run
        say({"broken": f"{type(error).__name__}: {error}"})
        os._exit(1)
    try:
        run(request["source"], request["entry"], request["inputs"])
    finally:
        os._exit(0)
