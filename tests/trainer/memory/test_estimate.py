"""What a step needs, before it is compiled and after; and what a run does on a device that cannot hold it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from benchmarks.gemma3_1b import ARCH as GEMMA3_1B
from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.errors import RunFailed
from podium.core.states import State
from trainer.data.tokenizer import Tokenizer
from trainer.device.memory import GB, tree_bytes
from trainer.loop import train
from trainer.memory.estimate import Memory, check_fits
from trainer.memory.fixes import fixes
from trainer.model.architecture import Architecture
from trainer.model.base_model import BaseModel
from trainer.model.decoder import Decoder
from trainer.model.sources import TINY
from trainer.programs.library import ProgramLibrary
from trainer.programs.training import TrainingProgram
from trainer.run.training_run import TrainingRun

SMALL = replace(
    GEMMA3_1B,
    **{
        "vocab_size": 8192,
        "hidden_size": 128,
        "mlp_size": 512,
        "kv_heads": 2,
        "head_dim": 32,
        "windows": (64,) * 7 + (0,),
    },
)


def compiled(arch: Architecture, overrides: dict[str, Any]) -> tuple[Memory, Memory]:
    """(estimated, as the compiler says) of a step on a model of which there are only the shapes."""
    config = RunConfig().with_overrides({"model.source": "shapes", **overrides})
    dtype, int8 = jnp.dtype(config.train.dtype), config.model.base_dtype == "int8"
    params = nnx.state(nnx.eval_shape(lambda: Decoder(arch, nnx.Rngs(0), dtype, int8=int8)), nnx.Param)
    base = BaseModel(arch, params, Tokenizer(TINY), "shapes", TINY)

    def compile_(_: Any, request: Any) -> Any:
        return jax.jit(request.function, donate_argnums=request.donate).lower(*request.arguments).compile()

    program, length = TrainingProgram(config, base, compile_), config.data.max_seq_len
    before = program.memory_of(length)
    _ = program.step
    return before, program.memory_of(length)


@pytest.mark.parametrize(
    ("remat", "lora", "batch", "length"),
    [
        ("none", True, 4, 256),
        ("full", True, 2, 512),
        pytest.param("dots", False, 4, 256, marks=pytest.mark.slow),
        pytest.param("dots", True, 2, 512, marks=pytest.mark.slow),
        pytest.param("full", False, 8, 64, marks=pytest.mark.slow),
    ],
)
def test_the_estimate_is_near_what_the_compiler_says(remat: str, lora: bool, batch: int, length: int) -> None:
    sizes = {"train.batch_size": batch, "data.max_seq_len": length, "train.remat": remat, "lora.enabled": lora}
    before, after = compiled(SMALL, {**sizes, "train.dtype": "float32"})
    assert before.compiled is None and after.compiled is not None
    print(f"{remat}: {before.temporary / after.temporary:.2f}")  # shown by pytest -s
    assert 0.7 < before.temporary / after.temporary < 1.6
    assert (before.weights, before.optimizer) == (after.weights, after.optimizer)


@pytest.mark.slow
def test_gemma_3_1b_fits_and_grows_slowly() -> None:
    """LoRA of rank 16 in bfloat16: under 7 GB of temporaries for 8 x 512 tokens, under 0.2 MB a token more."""

    def temporaries(batch: int, length: int) -> int:
        sizes = {"train.batch_size": batch, "data.max_seq_len": length, "train.dtype": "bfloat16"}
        return compiled(GEMMA3_1B, {**sizes, "lora.enabled": True, "lora.rank": 16})[1].temporary

    small, large = temporaries(4, 256), temporaries(8, 512)
    assert large < 7 * GB
    assert (large - small) / (8 * 512 - 4 * 256) < 0.2e6


def test_weights_and_optimizer_are_counted_exactly(library: ProgramLibrary, config: RunConfig) -> None:
    program = library.training_program(config)
    trainable, frozen, opt_state = program.init(0)
    memory = program.memory_of(32)
    assert memory.weights == tree_bytes((trainable, frozen)) == sum(x.nbytes for x in jax.tree.leaves(trainable))
    assert memory.optimizer == sum(leaf.nbytes for leaf in jax.tree.leaves(opt_state))
    adapters = library.training_program(config.with_overrides({"lora.enabled": True, "lora.rank": 2})).memory_of(32)
    assert adapters.optimizer < memory.optimizer / 10
    assert memory.weights < adapters.weights < 1.1 * memory.weights


def test_the_report_names_every_part() -> None:
    memory = Memory((8, 512), int(2e9), int(0.2e9), int(0.1e9), int(3e9), int(5e8))
    assert str(memory) == (
        "5.8 GB (weights 2 GB, optimizer 0.2 GB, gradients 0.1 GB, activations 3 GB, loss 0.5 GB; estimated)"
    )
    after = str(replace(memory, compiled=int(4e9)))
    assert after.startswith("6.2 GB (weights 2 GB, ") and after.endswith(
        "; compiled: 4 GB beside weights and optimizer)"
    )


def test_a_guess_refuses_nothing() -> None:
    guessed = Memory((8, 512), int(2e9), int(1e9), int(1e9), int(9e9), int(9e9))
    check_fits(guessed, RunConfig().with_overrides({"device.memory_gb": 4.0}))
    with pytest.raises(
        RunFailed, match=r"a training step needs 22 GB \(.*estimated\), the device has 3.9 GB; try --set"
    ):
        check_fits(guessed, RunConfig().with_overrides({"device.memory_gb": 3.9}))
    with pytest.raises(RunFailed, match=r"a training step needs 4.5 GB"):
        check_fits(replace(guessed, compiled=int(1.5e9)), RunConfig().with_overrides({"device.memory_gb": 4.0}))
    check_fits(guessed, RunConfig())  # the CPU backend does not say what it has


def test_three_fixes_that_can_be_typed() -> None:
    def found(**changed: Any) -> list[str]:
        return fixes(RunConfig().with_overrides({key.replace("__", "."): value for key, value in changed.items()}))

    halved = "--set train.batch_size=4 --set train.gradient_accumulation_steps=2"
    assert found() == [halved, "--set lora.enabled=true", "--set train.optimizer=adafactor"]
    assert found(train__remat="none")[:2] == ["--set train.remat=full", halved]
    wide = {"lora__enabled": True, "lora__rank": 64}
    assert found(**wide) == [halved, "--set model.base_dtype=int8", "--set lora.rank=32"]
    last = {"lora__enabled": True, "model__base_dtype": "int8", "train__optimizer": "adafactor", "train__batch_size": 1}
    shorter, narrower = "--set data.max_seq_len=32", ["--set lora.rank=4", "--set train.dtype=bfloat16"]
    assert found(**last, data__max_seq_len=64) == [shorter, *narrower]
    assert found(**last) == narrower  # auto, when the model itself does not fit


@pytest.mark.parametrize("memory_gb", [0.001, 0.009])  # less than the weights; enough for those, not for a step
def test_a_device_that_cannot_hold_it_is_infeasible_before_any_step(
    memory_gb: float, tmp_path: Path, library: ProgramLibrary, config: RunConfig, forever: Deadline
) -> None:
    tight = config.with_overrides({"device.memory_gb": memory_gb})
    run = TrainingRun(tight, tmp_path / "run", library)
    report = run.advance(12, forever)
    run.close()
    assert (report.state, report.step, report.metrics) == (State.INFEASIBLE, 0, {})
    assert "a training step needs" in report.reason and f"the device has {memory_gb * 1e3:g} MB" in report.reason
    assert report.reason.count("--set") >= 3
    assert not (tmp_path / "run").exists()


def test_train_ends_as_infeasible_and_writes_nothing(
    tmp_path: Path, library: ProgramLibrary, config: RunConfig
) -> None:
    result = train(config.with_overrides({"device.memory_gb": 0.001}), tmp_path / "run", library=library)
    assert (result.state, result.step, result.final_loss) == (State.INFEASIBLE, 0, None)
    assert list(tmp_path.iterdir()) == []
