"""The peak memory of a trial, measured in its worker's process."""

import contextlib
import os
import re
import sys
from pathlib import Path

CLEAR_REFS, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
RESET_PEAK = "5"  # proc(5): sets the peak resident size to the present one


def reset_peak() -> None:
    """Forget the peak of the host's memory, on Linux. A device's peak stays: it covers the life of the process."""
    with contextlib.suppress(OSError):
        CLEAR_REFS.write_text(RESET_PEAK)


def peak_memory_gb() -> float | None:
    """The peak of the accelerator if JAX uses one, else of the process, in units of 1e9 bytes; None if unknown."""
    on_device = device_memory_gb("peak_bytes_in_use")
    return on_device if on_device is not None else _status_gb("VmHWM")


def resident_gb() -> float | None:
    """The host memory that the process holds now, in units of 1e9 bytes; None if unknown."""
    return _status_gb("VmRSS")


def device_memory_gb(name: str = "bytes_in_use") -> float | None:
    """A value of JAX's `memory_stats`, in units of 1e9 bytes; None on the CPU, or if JAX is not imported."""
    jax = sys.modules.get("jax")
    # In this order, so that JAX is not initialised in a process that was told to use the CPU.
    if jax is None or os.environ.get("JAX_PLATFORMS") == "cpu" or jax.default_backend() == "cpu":
        return None
    found = (jax.local_devices()[0].memory_stats() or {}).get(name)
    return None if found is None else found / 1e9


def _status_gb(name: str) -> float | None:
    with contextlib.suppress(OSError):
        if found := re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE):
            return int(found[1]) * 1024 / 1e9
    return None
