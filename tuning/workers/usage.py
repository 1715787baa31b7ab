"""What a trial's worker used of its machine, measured where the trial runs: in the worker's own process.

MLflow's own sampler would make every worker a writer to the store, and would show the machine rather than the trial.
"""

import os
import time

from tuning.workers.memory import device_memory_gb, resident_gb
from tuning.workers.resources import cores_here


class Meter:
    """From one reading to the next. Its names are those under which MLflow's pages look for system metrics."""

    def __init__(self) -> None:
        self._cpu_s, self._at_s = _cpu_s(), time.monotonic()

    def read(self) -> dict[str, float]:
        """Since the last reading: percent of the cores that this process may use, its child processes included.

        As of now: memory of the process and, where JAX runs on an accelerator, of the device; in units of 1e9 bytes.
        """
        cpu_s, at_s = _cpu_s(), time.monotonic()
        used_s, wall_s = cpu_s - self._cpu_s, at_s - self._at_s
        self._cpu_s, self._at_s = cpu_s, at_s
        found = {"system/memory_gb": resident_gb(), "system/device_memory_gb": device_memory_gb()}
        if wall_s > 0:
            found["system/cpu_utilization_percentage"] = 100 * used_s / (wall_s * len(cores_here()))
        return {name: value for name, value in found.items() if value is not None}


def _cpu_s() -> float:
    """CPU seconds of this process with all its threads, and of children that have ended."""
    return sum(os.times()[:4])
