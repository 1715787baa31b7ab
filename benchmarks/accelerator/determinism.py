"""Whether two runs with XLA's deterministic flag agree in every bit, and what the flag costs.

Each run compiles the step anew, without the cache on disk, because a compiler that times its choices may choose
differently. The rounds of the timing take turns.
"""

import hashlib
import statistics
import time
from typing import Any

import jax
import numpy as np

from benchmarks.accelerator.machine import Machine, batches, training_program
from benchmarks.report import Report
from benchmarks.train_step import Ours
from trainer.programs.compiler import CompileRequest

FLAG = "xla_gpu_deterministic_ops"  # other backends accept and ignore it
ROUNDS = 3


def measure(report: Report, machine: Machine) -> None:
    jax.config.update("jax_enable_compilation_cache", False)
    tokens = batches(machine, max(3, machine.steps // 4))
    engines: dict[str, Ours] = {}
    bits: dict[str, str] = {}
    for name, flag in (("plain", False), ("first", True), ("second", True)):
        jax.clear_caches()
        engines[name], bits[name] = _run(machine, tokens, flag)
    same = float(bits["first"] == bits["second"])
    report.goal(f"second run with {FLAG} has the same bits", same, "== 1")
    seconds: dict[str, list[float]] = {"plain": [], "second": []}
    for _ in range(ROUNDS):
        for name, found in seconds.items():
            started_s = time.perf_counter()
            engines[name](tokens)
            found.append(time.perf_counter() - started_s)
    ratios = [b / a for a, b in zip(seconds["plain"], seconds["second"], strict=True)]
    report.figure("time of a step with the flag over without", statistics.median(ratios), "times")


def _run(machine: Machine, tokens: np.ndarray, flag: bool) -> tuple[Ours, str]:
    """A new run's engine after its first steps, and a hash of their losses, the adapters and the optimizer state."""

    def compile_(_: Any, request: CompileRequest) -> jax.stages.Compiled:
        return request.lower().compile(compiler_options={FLAG: flag})

    engine = Ours(training_program(machine, compile_=compile_))
    losses = engine(tokens)
    trainable, _, opt_state = engine.state
    arrays = [np.asarray(losses), *map(np.asarray, jax.tree.leaves((trainable, opt_state)))]
    return engine, hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
