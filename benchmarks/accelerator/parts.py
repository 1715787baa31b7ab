"""Runs each part in a process of its own, under a time limit, and collects the rows that it writes.

A process of its own, because an accelerator's memory stays taken after a failure, and because nothing else can end a
compilation. A part writes each row to a file as soon as it is measured, so that a part which is ended early loses
only what it had not measured.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.report import Report

ROOT = Path(__file__).parents[2]
LIMIT_S = 470.0  # of all parts together
# Variables that name other folders, or a cache in which a program may lie already.
ELSEWHERE = ("PODIUM_HOME", "PODIUM_WORKSPACE", "PODIUM_COMPILE_CACHE", "JAX_COMPILATION_CACHE_DIR")
# Each part is the module of that name; its number is its time limit in seconds. `compile` comes early, because the
# parts after it read its programs from the cache.
PARTS = {
    "parity": 110.0,
    "compile": 90.0,
    "memory": 60.0,
    "train": 90.0,
    "decode": 120.0,
    "determinism": 110.0,
    "failures": 60.0,
    "trials": 90.0,
}


class WrittenReport(Report):
    """A report that also appends each row to a file at once."""

    def __init__(self, path: Path) -> None:
        super().__init__("part")
        self._path = path

    def figure(self, what: str, value: float | str | None, unit: str = "") -> None:
        self._write("figure", what, value, unit)

    def goal(self, what: str, value: float | None, goal: str, unit: str = "") -> None:
        self._write("goal", what, value, goal, unit)

    def _write(self, *row: Any) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def measure_here(name: str, into: str) -> None:
    """Run a part in this process, and append its rows to the file `into`."""
    from benchmarks.accelerator.machine import this_machine

    report = WrittenReport(Path(into))
    import_module(f"benchmarks.accelerator.{name}").measure(report, this_machine())


def run_all(report: Report, names: Sequence[str]) -> list[str]:
    """Run the parts one after another; returns the names of those that did not run to their end."""
    failed, ends_s = [], time.monotonic() + LIMIT_S
    with tempfile.TemporaryDirectory(prefix="podium-accelerator-") as folder:
        for name in ["device", *names]:
            limit_s = min(PARTS.get(name, 60.0), ends_s - time.monotonic())
            started_s = time.monotonic()
            problem = _run(report, name, Path(folder), limit_s)
            if name in PARTS:
                report.figure(
                    f"{name}: the whole part", problem or time.monotonic() - started_s, "" if problem else "s"
                )
            elif problem:
                report.figure("device", problem)
            failed += [name] if problem else []
    return failed


def _run(report: Report, name: str, folder: Path, limit_s: float) -> str | None:
    """Run a part and add its rows; returns why it did not run to its end."""
    if limit_s <= 0:
        return f"not run: the {LIMIT_S:.0f} s of all parts were used up"
    rows, log = folder / f"{name}.jsonl", folder / f"{name}.log"
    rows.touch()
    command = [sys.executable, "-m", "benchmarks.accelerator", "--part", name, "--into", str(rows)]
    print(f"{name} ...", file=sys.stderr, flush=True)
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env=_environment(folder))
        try:
            code: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            process.kill()
            process.wait()
    for kind, what, *values in map(json.loads, rows.read_text().splitlines()):
        (report.figure if kind == "figure" else report.goal)(f"{name}: {what}", *values)
    if code is None:
        return f"ended at its time limit of {limit_s:.0f} s"
    return None if code == 0 else f"failed: {_last_line(log)}"


def _environment(folder: Path) -> dict[str, str]:
    """Variables of a part: its own PODIUM_HOME, and one cache of compiled programs for all parts."""
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    platforms = kept.get("JAX_PLATFORMS", "")
    if platforms and "cpu" not in platforms:
        kept["JAX_PLATFORMS"] = f"{platforms},cpu"  # `parity` compares with the CPU
    return {**kept, "PODIUM_HOME": str(folder), "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it wrote nothing"
