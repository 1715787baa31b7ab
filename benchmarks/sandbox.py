"""Compares programs/s in the sandbox with the same program in a fresh interpreter without isolation."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.report import Report, arguments
from eval.sandbox.sandbox import Limits, Program, Sandbox

GRID = [[(i * j) % 10 for j in range(15)] for i in range(15)]
INPUTS = [GRID] * 4  # three train pairs and a test, as in most ARC tasks
SOURCE = "import numpy as np\ndef solve(grid):\n    return np.rot90(np.array(grid))\n"
FRESH = SOURCE + "import json, sys\nfor g in json.load(sys.stdin): print(json.dumps(solve(g).tolist()))\n"
ROUNDS = 3


def main() -> None:
    options = arguments(__doc__, programs=200)
    programs: list[Program] = [(SOURCE, INPUTS)] * options.programs
    few = [json.dumps(INPUTS)] * 10
    cores, limits, report = os.cpu_count() or 1, Limits(wall_s=60), Report("sandbox")
    with Sandbox(1) as one, Sandbox(cores) as every:
        start_s = seconds(lambda: one.run(SOURCE, INPUTS))
        isolation = every.run_many(programs[: 2 * cores])[0].isolation
        # Interleaved, and the best of each: other load on the machine can only slow a run down.
        rounds = [
            (
                len(few) / seconds(lambda: list(map(run_fresh, few))),
                len(programs) / seconds(lambda: one.run_many(programs, limits=limits)),
                len(programs) / seconds(lambda: every.run_many(programs, limits=limits)),
            )
            for _ in range(ROUNDS)
        ]
    fresh, alone, together = (max(rates) for rates in zip(*rounds, strict=True))
    report.figure("a fresh interpreter per program, no isolation", fresh, "programs/s")
    report.figure("sandbox, 1 worker", alone, "programs/s")
    report.figure(f"sandbox, {cores} workers", together, "programs/s")
    report.figure("start of a worker, with its first program", start_s, "s")
    for line in isolation:
        threat, mechanisms = line.split(": ")
        report.figure(f"isolation of {threat}", mechanisms)
    report.goal(f"sandbox, {cores} workers", together, ">= 50", "programs/s")
    report.goal("sandbox, 1 worker, over a fresh interpreter per program", alone / fresh, ">= 5", "times")
    report.print(options.json)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def run_fresh(inputs: str) -> None:
    subprocess.run([sys.executable, "-c", FRESH], input=inputs, text=True, capture_output=True, check=True)


if __name__ == "__main__":
    main()
