"""A step that cannot fit and a full device end a run as `infeasible` and `oom`, and the next run completes.

All runs are in this process. `infeasible` is provoked twice: with a small device.memory_gb, which is refused before
compilation, and with a batch that needs four times the device's memory, where a compiler may run out first. For `oom`,
arrays take the device's free memory while a run that would fit is trained. On a CPU only the first is done, because
the others would fill the machine.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.accelerator.machine import Machine
from benchmarks.home import temporary_home
from benchmarks.report import Report
from podium.core.config import RunConfig
from podium.core.states import State
from trainer.device.memory import device_bytes, free_bytes
from trainer.loop import train
from trainer.programs.library import ProgramLibrary

SMALL = {
    **{"train.max_steps": 4, "train.batch_size": 64, "train.warmup_steps": 0, "data.max_seq_len": 128},
    **{"generate.max_prompt_tokens": 64, "generate.max_new_tokens": 64},
}
LEFT = 2**20  # bytes that the ballast leaves free


def measure(report: Report, machine: Machine) -> None:
    library = ProgramLibrary()

    def expect(what: str, changes: Mapping[str, Any], *states: State) -> None:
        config = library.resolve(RunConfig().with_overrides({**SMALL, **changes}), tuple)
        result = train(config, home / what.replace(" ", "-"), library=library)
        wanted = " or ".join(state.value for state in states)
        report.goal(f"{what} ends as {wanted}", float(result.state in states), "== 1")
        if result.state is not states[0]:
            report.figure(f"{what} ended as", f"{result.state.value}: {result.reason}")

    with temporary_home() as home:
        expect("a step larger than device.memory_gb", {"device.memory_gb": 1e-3}, State.INFEASIBLE)
        expect("the next run", {}, State.COMPLETE)
        if machine.is_rehearsal:
            report.figure("a full device", "not provoked on a CPU")
            return
        expect("a step larger than the device", {"train.batch_size": _too_many(library)}, State.INFEASIBLE, State.OOM)
        ballast = _filled()
        expect("a run on a full device", {}, State.OOM)
        for array in ballast:
            array.delete()
        expect("the run after the full device", {}, State.COMPLETE)


def _too_many(library: ProgramLibrary) -> int:
    """A batch whose step needs four times the device's memory, by the estimate."""
    config = library.resolve(RunConfig().with_overrides(SMALL), tuple)
    row_bytes = library.training_program(config).memory_of(128).activations // SMALL["train.batch_size"]
    return 4 * (device_bytes(config) or 0) // row_bytes


def _filled() -> list[jax.Array]:
    """Arrays that take the device's free memory except for LEFT bytes, in ever smaller pieces."""
    arrays: list[jax.Array] = []
    size = free_bytes(RunConfig()) or 0
    while size > LEFT:
        try:
            arrays.append(jax.block_until_ready(jnp.zeros(size, jnp.uint8)))
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            size //= 2
    return arrays
