"""Names the device and the libraries, and says what a rehearsal is."""

import jax

from benchmarks.accelerator.machine import Machine
from benchmarks.report import Report


def measure(report: Report, machine: Machine) -> None:
    if machine.is_rehearsal:
        report.figure("cpu", "rehearsal, no figures of an accelerator")
    report.figure("kind", f"{machine.device.device_kind} ({machine.device.platform}), JAX {jax.__version__}")
    if machine.known is None or machine.is_rehearsal:
        report.figure("peak FLOP/s and bandwidth", "not known, so no shares of them")
    else:
        about = f"{machine.known.peak_tflops} TFLOP/s in {machine.known.dtype}, {machine.known.bandwidth_gbs} GB/s"
        report.figure("data sheet", about)
