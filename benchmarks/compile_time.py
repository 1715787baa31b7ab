"""Seconds to trace and compile a Gemma 3 1B LoRA step ahead of time, ours against google-tunix's.

`python -m benchmarks.compile_time [--runs N] [--json]`. Runs are interleaved, each with JAX's caches cleared.
"""

import time
from collections.abc import Callable
from statistics import median

import jax

from benchmarks.gemma3_1b import lower_ours, lower_tunix, tunix_model
from benchmarks.report import Report, arguments
from benchmarks.tunix_gemma3 import tunix_missing

BATCH, LENGTH = 4, 256


def seconds(lower: Callable[[], jax.stages.Lowered]) -> float:
    jax.clear_caches()
    started_s = time.perf_counter()
    lower().compile()
    return time.perf_counter() - started_s


def main() -> None:
    options = arguments(__doc__, runs=2)
    report, missing = Report("compile_time"), tunix_missing()
    ours, theirs = [], []
    if not missing:
        tunix_model("NONE")  # made once: what is compared is the step
    for _ in range(options.runs):
        ours.append(seconds(lambda: lower_ours(BATCH, LENGTH)))
        if not missing:
            theirs.append(seconds(lambda: lower_tunix(BATCH, LENGTH, "NONE")))
    report.figure("ours, traced and compiled", median(ours), "s")
    report.figure("google-tunix, traced and compiled", missing or median(theirs), "" if missing else "s")
    report.reach("ours over google-tunix", None if missing else median(ours) / median(theirs), "<= 0.2")
    report.end(options.json)


if __name__ == "__main__":
    main()
