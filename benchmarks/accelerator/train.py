"""Tokens/s of a LoRA training step on the shapes of Gemma 3 1B, and its share of the card's peak FLOP/s.

With LoRA, a step has 4 FLOPs per parameter and token: 2 in the forward pass and 2 for the gradients of activations;
recomputation is not counted. The better of remat `none` and `full` counts.
"""

import time

import jax

from benchmarks.accelerator.machine import Machine, batches, n_parameters, training_program
from benchmarks.report import Report
from benchmarks.train_step import Ours


def measure(report: Report, machine: Machine) -> None:
    shares = []
    for remat in ("full", "none"):
        what = f"{machine}, remat {remat}"
        try:
            tokens_per_s = _speed(machine, remat)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            report.figure(what, "out of memory")
            continue
        report.figure(what, tokens_per_s, "tokens/s")
        if machine.known and machine.known.peak_flops:
            shares.append(100 * 4 * n_parameters(machine.arch) * tokens_per_s / machine.known.peak_flops)
    if machine.is_rehearsal:
        return
    report.goal("share of the card's peak FLOP/s", max(shares, default=None), ">= 30", "%")


def _speed(machine: Machine, remat: str) -> float:
    """Tokens/s, without compilation."""
    tokens = batches(machine, machine.steps)
    engine = Ours(training_program(machine, remat))
    engine(tokens)
    started_s = time.perf_counter()
    engine(tokens)
    return tokens.size / (time.perf_counter() - started_s)
