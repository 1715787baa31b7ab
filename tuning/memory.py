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
    on_device = _device_peak()
    if on_device is not None:
        return on_device / 1e9
    with contextlib.suppress(OSError):
        if found := re.search(r"^VmHWM:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE):
            return int(found[1]) * 1024 / 1e9
    return None


def _device_peak() -> int | None:
    """Bytes; None where JAX is not in use, or on the CPU."""
    jax = sys.modules.get("jax")
    # Asked in this order: in a process told to use the CPU, JAX is not started for the question.
    if jax is None or os.environ.get("JAX_PLATFORMS") == "cpu" or jax.default_backend() == "cpu":
        return None
    found = jax.local_devices()[0].memory_stats() or {}
    return found.get("peak_bytes_in_use")
