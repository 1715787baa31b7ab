"""Tokens/s of greedy decoding on the shapes of Gemma 3 1B, and the share of the memory's bandwidth that this needs.

A step has to read all weights once, and the keys and values of every row's tokens; this is what the share counts. Rows
begin with a prompt of `PROMPT` tokens. Only the loop over new tokens is timed, after a first run that compiles.
"""

import time
from typing import Any

import jax
import numpy as np

from benchmarks.accelerator.machine import Machine, compiled, weights
from benchmarks.gemma3_1b import our_program
from benchmarks.report import Report
from trainer.decoding.generate import n_admitted
from trainer.decoding.slots import Slots
from trainer.device.memory import tree_bytes
from trainer.programs.decoding import DecodingProgram
from trainer.step.optimizer import hyperparameters

PROMPT, REPEATS = 32, 3


def measure(report: Report, machine: Machine) -> None:
    for batch in machine.decoded:
        seconds, n_bytes = _fastest(machine, batch)
        what = f"batch {batch}, {machine.new_tokens} new tokens, {machine.dtype}"
        report.figure(what, batch * machine.new_tokens / seconds, "tokens/s")
        if machine.is_rehearsal:
            continue
        bandwidth = machine.known and machine.known.bandwidth
        share = 100 * n_bytes / seconds / bandwidth if bandwidth else None
        report.goal(f"batch {batch}, share of the memory's bandwidth", share, ">= 50", "%")


def _fastest(machine: Machine, batch: int) -> tuple[float, float]:
    """Seconds to decode, and the bytes that it has to read meanwhile."""
    sizes = {"generate.batch_size": batch, "generate.max_prompt_tokens": PROMPT}
    # One more than is timed: `admit` writes the first.
    sizes["generate.max_new_tokens"] = machine.new_tokens + 1
    config = machine.config().with_overrides(sizes)
    program = our_program(machine.arch, config, weights(machine.arch, machine.dtype), compiled)
    trainable, frozen, _ = program.init(0)
    functions = DecodingProgram(program).bind(trainable, frozen, hyperparameters(config))
    seconds = []
    for _ in range(1 + REPEATS):
        slots = jax.block_until_ready(_admitted(functions, batch, machine.arch.vocab_size))
        started_s = time.perf_counter()
        slots = functions.decode(slots, np.zeros(batch, bool), np.int32(batch + 1), np.int32(machine.new_tokens))
        n = np.asarray(slots.n)  # waits for the device
        seconds.append(time.perf_counter() - started_s)
        if (n != machine.new_tokens + 1).any():
            raise SystemExit(f"batch {batch}: a row ended after {n.min()} of {machine.new_tokens + 1} tokens")
    arch = machine.arch
    cached = PROMPT + machine.new_tokens / 2  # tokens of a row, on average; fewer than any window
    of_row = 2 * arch.layers * arch.kv_heads * arch.head_dim * np.dtype(program.dtype).itemsize * cached
    return min(seconds[1:]), machine.new_tokens * (tree_bytes((trainable, frozen)) + batch * of_row)


def _admitted(functions: Any, batch: int, vocab: int) -> Slots:
    """Slots with a random prompt in every row."""
    chance, group, slots = np.random.default_rng(0), n_admitted(batch), functions.empty()
    for first in range(0, batch, group):
        tokens = chance.integers(3, vocab, (group, PROMPT), np.int32)
        slots = functions.admit(
            slots,
            tokens,
            np.ones_like(tokens),
            np.zeros((group, 2), np.uint32),
            np.arange(first, first + group, dtype=np.int32),
        )
    return slots
