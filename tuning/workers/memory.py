"""How much memory a trial took at most, as its worker's process sees it."""

import contextlib
import os
import re
import sys
from pathlib import Path

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
RESET_PEAK = "5"  # proc(5): sets the peak resident size to what is resident now


def reset_peak() -> None:
    """Begin anew, where the system can: Linux, for the host's memory. A device's peak is that of its process so far."""
    with contextlib.suppress(OSError):
        CLEAR.write_text(RESET_PEAK)


def peak_memory_gb() -> float | None:
    """In units of 1e9 bytes: the accelerator's where JAX runs on one, else the process's; None where unknown."""
    on_device = device_memory_gb("peak_bytes_in_use")
    return on_device if on_device is not None else _status_gb("VmHWM")


def resident_gb() -> float | None:
    """What the process holds of the host's memory now, in units of 1e9 bytes; None where unknown."""
    return _status_gb("VmRSS")


def device_memory_gb(name: str = "bytes_in_use") -> float | None:
    """A figure of JAX's `memory_stats`, in units of 1e9 bytes; None where JAX is not in use, or on the CPU."""
    jax = sys.modules.get("jax")
    # Asked in this order: in a process told to use the CPU, JAX is not started for the question.
    if jax is None or os.environ.get("JAX_PLATFORMS") == "cpu" or jax.default_backend() == "cpu":
        return None
    found = (jax.local_devices()[0].memory_stats() or {}).get(name)
    return None if found is None else found / 1e9


def _status_gb(name: str) -> float | None:
    with contextlib.suppress(OSError):
        if found := re.search(rf"^{name}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE):
            return int(found[1]) * 1024 / 1e9
    return None
