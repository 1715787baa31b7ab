"""Compiles each function that a run calls, and reads from the compiler how much memory it needs."""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax

from podium.core.resolved import ResolvedConfig
from trainer.decoding.generate import n_admitted, prompt_buckets
from trainer.device.memory import tree_bytes
from trainer.memory.out_of_memory import SIGNS
from trainer.plan.program import Program
from trainer.programs.compiler import FunctionName
from trainer.programs.decoding import DecodingProgram
from trainer.programs.library import ProgramLibrary
from trainer.programs.training import TrainingProgram

Shape = tuple[int, ...]
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
# libtpu: `the total memory required for HLO temporaries (48.43G) exceeds available HBM (15.75G)`, or
# `Used 20.11G of 15.75G hbm`.
NEEDED = (
    re.compile(r"HLO temporaries \(([\d.]+)([KMGT]?)\)"),
    re.compile(r"Used ([\d.]+)([KMGT]?) of [\d.]+[KMGT]? hbm"),
)


def compiled_programs(config: ResolvedConfig, library: ProgramLibrary, function: FunctionName) -> Iterator[Program]:
    """Compile `function` in every shape that a run of `config` can need. None on a machine that does not call it."""
    training, decoding = library.training_program(config), library.decoding_program(config)
    for shape, compile_ in requests(training, decoding)[function]:
        yield _program(function, shape, compile_, training, decoding)


def requests(
    training: TrainingProgram, decoding: DecodingProgram
) -> dict[FunctionName, list[tuple[Shape, Callable[[], Any]]]]:
    """Every shape of every function, with what compiles it."""
    config = training.config
    train, data, generate = config.train, config.data, config.generate
    steps: list[tuple[Shape, Callable[[], Any]]] = [
        ((train.gradient_accumulation_steps, train.batch_size, length), partial(training.step_of, length))
        for length in (*data.length_buckets, data.max_seq_len)
    ]
    prompts: list[tuple[Shape, Callable[[], Any]]] = [
        ((n_admitted(generate.batch_size), length), partial(decoding.admit_of, length))
        for length in prompt_buckets(generate.max_prompt_tokens)
    ]
    return {
        "init": [((), lambda: training.initial)],
        "train": steps,
        "loss": [((train.batch_size, data.max_seq_len), lambda: training.loss)],
        "empty": [((generate.batch_size,), lambda: decoding.empty)],
        "admit": prompts,
        "copies": [((), lambda: decoding.make_copies)] if decoding.makes_copies else [],
        "decode": [((generate.batch_size, generate.max_new_tokens), lambda: decoding.decode)],
    }


def _program(
    function: FunctionName,
    shape: Shape,
    compile_: Callable[[], Any],
    training: TrainingProgram,
    decoding: DecodingProgram,
) -> Program:
    resident = _resident(function, training, decoding)
    data, fsdp = training.mesh.devices.shape
    known: dict[str, Any] = {"function": function, "shape": shape, "devices": (data, fsdp)}
    if function == "train":
        known["estimated"] = training.memory_of(shape[-1]).total  # before it is compiled
    started_s = time.monotonic()
    try:
        found = compile_().memory_analysis()
    except jax.errors.JaxRuntimeError as error:
        if not any(sign in str(error) for sign in SIGNS):
            raise
        return Program(
            **known,
            arguments=resident,
            temporaries=_needed(str(error)),
            results=0,
            beside=0,
            compile_s=time.monotonic() - started_s,
            refusal=str(error).splitlines()[0][:300],
        )
    arguments = int(found.argument_size_in_bytes)
    return Program(
        **known,
        arguments=arguments,
        temporaries=int(found.temp_size_in_bytes),
        results=max(0, int(found.output_size_in_bytes - found.alias_size_in_bytes)),
        beside=max(0, resident - arguments),
        compile_s=time.monotonic() - started_s,
    )


def _resident(function: FunctionName, training: TrainingProgram, decoding: DecodingProgram) -> int:
    """The bytes of the run's arrays on each device while `function` runs, whether they are arguments or not."""
    # Full fine-tuning trains a copy, and the loaded base stays for the next run of the process.
    base = 0 if training.config.lora.enabled else tree_bytes(training.base.params)
    if function == "init":
        return tree_bytes(training.base.params)
    run = base + tree_bytes((training.trainable, training.frozen_shapes, training.opt_state))
    return run + (tree_bytes(decoding.slots) if function in ("admit", "decode") else 0)


def _needed(error: str) -> int | None:
    """The bytes that a refused program would have needed beside its arguments, if the compiler says so."""
    found = next((match for pattern in NEEDED if (match := pattern.search(error))), None)
    return None if found is None else int(float(found[1]) * UNITS[found[2]])
