"""CPU and memory that a trial uses, measured in its worker's process."""

import os
import time

from tuning.workers.memory import device_memory_gb, resident_gb
from tuning.workers.resources import cores_here


# MLflow's own sampler would make every worker a writer to the store, and measure the machine rather than the trial.
class UsageMeter:
    """Measures from one reading to the next. The names of its metrics are those that MLflow's pages look for."""

    def __init__(self) -> None:
        self._cpu_s, self._at_s = _cpu_s(), time.monotonic()

    def read(self) -> dict[str, float]:
        """CPU use since the last reading, child processes included, in percent of all cores that this process may use;
        and memory now, in units of 1e9 bytes, of the process and, if JAX runs on an accelerator, of the device."""
        cpu_s, at_s = _cpu_s(), time.monotonic()
        used_s, wall_s = cpu_s - self._cpu_s, at_s - self._at_s
        self._cpu_s, self._at_s = cpu_s, at_s
        found = {"system/memory_gb": resident_gb(), "system/device_memory_gb": device_memory_gb()}
        if wall_s > 0:
            found["system/cpu_utilization_percentage"] = 100 * used_s / (wall_s * len(cores_here()))
        return {name: value for name, value in found.items() if value is not None}


def _cpu_s() -> float:
    """CPU seconds of all threads of this process, and of child processes that have ended."""
    return sum(os.times()[:4])
