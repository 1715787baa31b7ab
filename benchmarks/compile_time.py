"""Compares the seconds that Podium and google-tunix take to trace and compile a Gemma 3 1B LoRA step ahead of time.

    bench/bin/python -m benchmarks.compile_time [--runs 3] [--quick] [--json]

The step has LoRA of rank 16 on every projection, in bfloat16, for 4 x 256 tokens. It is compiled for this machine's CPU
and not run. Both sides first compile a two-layer model, so that no import is timed. Runs are interleaved, and JAX's
caches are cleared before each. CPU seconds are summed over all threads, so they depend less on other load. `--quick`
makes one run. Goal: a fifth of google-tunix's time.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import jax

from benchmarks.gemma3_1b import ARCH, lower_ours, lower_tunix, tunix_model
from benchmarks.report import Report, arguments
from benchmarks.tunix_gemma3 import tunix_missing

BATCH, LENGTH = 4, 256
TWO_LAYERS = replace(ARCH, vocab_size=512, hidden_size=64, mlp_size=128, head_dim=16, windows=ARCH.windows[:2])


def seconds(lower: Callable[[], jax.stages.Lowered]) -> tuple[float, float]:
    """(wall seconds, CPU seconds) of one trace and compilation."""
    jax.clear_caches()
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    lower().compile()
    return time.perf_counter() - started_s, time.process_time() - started_cpu_s


def main() -> None:
    options = arguments(__doc__, runs=3, quick=False)
    report = Report("compile_time")
    lower_ours(2, 32, TWO_LAYERS).compile()
    sides = {"ours": lambda: lower_ours(BATCH, LENGTH)}
    if missing := tunix_missing():
        report.figure("google-tunix", missing)
    else:
        lower_tunix(2, 32, "NONE", TWO_LAYERS).compile()
        tunix_model("NONE")  # cached, so that only the step is timed
        sides["google-tunix"] = lambda: lower_tunix(BATCH, LENGTH, "NONE")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(1 if options.quick else options.runs):
        for name, lower in sides.items():
            found[name].append(seconds(lower))
    for name, runs in found.items():
        report.figure(f"{name}, traced and compiled", median(run[0] for run in runs), "s")
        report.figure(f"{name}, traced and compiled", median(run[1] for run in runs), "CPU s")
    ratios = list(zip(found["ours"], found.get("google-tunix", ()), strict=False))
    if ratios:
        report.figure("ours over google-tunix in CPU seconds", median(a[1] / b[1] for a, b in ratios))
    report.goal("ours over google-tunix", median(a[0] / b[0] for a, b in ratios) if ratios else None, "<= 0.2")
    report.print(options.json)


if __name__ == "__main__":
    main()
