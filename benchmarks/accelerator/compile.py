"""Seconds to trace and compile the training step: cold, and again from JAX's cache on disk."""

import time
from collections import Counter

import jax

from benchmarks.accelerator.machine import Machine, training_program
from benchmarks.report import Report
from trainer.programs.library import CACHE_HIT


def measure(report: Report, machine: Machine) -> None:
    events: Counter[str] = Counter()
    jax.monitoring.register_event_listener(lambda event, **_: events.update([event]))
    for how in ("cold", "from the cache"):
        jax.clear_caches()
        program, hits = training_program(machine), events[CACHE_HIT]
        started_s = time.perf_counter()
        _ = program.step
        report.figure(f"training step, {machine}, {how}", time.perf_counter() - started_s, "s")
        if (events[CACHE_HIT] > hits) != (how == "from the cache"):
            raise SystemExit(f"{how}: JAX reports {events[CACHE_HIT] - hits} hits of its cache")
