"""The memory report of a training step, estimated and compiled, against the most that the device had in use."""

import jax
import numpy as np

from benchmarks.accelerator.machine import Machine, training_program
from benchmarks.report import Report
from benchmarks.train_step import rows
from trainer.device.memory import GB
from trainer.step.optimizer import hyperparameters


def measure(report: Report, machine: Machine) -> None:
    program, hp = training_program(machine), hyperparameters(machine.config())
    estimated = program.memory_of(machine.length)
    step, compiled = program.step, program.memory_of(machine.length)
    before = (machine.device.memory_stats() or {}).get("peak_bytes_in_use")
    trainable, frozen, opt_state = program.init(0)
    batch = rows(np.full((machine.batch, machine.length), 5, np.int32))
    jax.block_until_ready(step(trainable, opt_state, frozen, batch, hp, np.int32(0)))
    after = (machine.device.memory_stats() or {}).get("peak_bytes_in_use")
    report.figure(f"step, {machine}, estimated", estimated.total / GB, "GB")
    report.figure(f"step, {machine}, compiled", compiled.total / GB, "GB")
    if before is None or after is None:
        report.figure("the device's peak", f"not reported by {machine.device.platform}")
        return
    report.figure("the device's peak before the step", before / GB, "GB")  # drawing the weights
    report.figure("the device's peak in the step", after / GB, "GB")
    if after > before:  # otherwise drawing the weights took more than the step
        report.goal("report, compiled, over the device's peak", compiled.total / after, ">= 0.85", "times")
        report.goal("report, compiled, over the device's peak", compiled.total / after, "<= 1.15", "times")
