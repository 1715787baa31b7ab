"""Whatever the trainer can build is known to build for its targets: one v5e chip, eight of them, and a T4.

A new optimizer, variant or option goes into VARIANTS; a new function of a program is compiled by itself, because
`trainer.plan.programs.requests` has to list it.
"""

from pathlib import Path
from typing import Any, get_args

import pytest

from podium.core.config import RunConfig
from podium.core.config_sections import TrainConfig
from trainer.plan.compile import compile_all
from trainer.plan.job import Job
from trainer.plan.target import find_target
from trainer.plan.tools import PACKAGES, check_tools
from trainer.programs.compiler import FUNCTION_NAMES

MODELS = Path(__file__).parents[2] / "fixtures" / "models"
TARGETS = {"one v5e": "v5e:1x1", "eight v5e": "v5e:2x4", "t4": "t4"}
BASE = {
    "model.source": str(MODELS / "gemma3_text"),
    "data.max_seq_len": 48,
    "lora.enabled": True,
    "train.batch_size": 8,
    "generate.batch_size": 8,
    "generate.max_prompt_tokens": 32,
    "generate.max_new_tokens": 16,
}
# Of the training step. `packing` changes no shape: every step has segment ids.
VARIANTS: dict[str, dict[str, Any]] = {
    "adamw": {},
    **{name: {"train.optimizer": name} for name in ("adafactor", "lion", "sgd", "muon")},
    "rslora": {"lora.rslora": True},
    "dora": {"lora.dora": True},
    "dropout": {"lora.dropout": 0.1},
    "rslora, dora and dropout": {"lora.rslora": True, "lora.dora": True, "lora.dropout": 0.1},
    **{dtype: {"train.dtype": dtype} for dtype in ("float32", "bfloat16", "float16")},
    "int8": {"model.base_dtype": "int8"},
    "int8 and dora": {"model.base_dtype": "int8", "lora.dora": True},
    "packing": {"data.packing": True},
    "length buckets": {"data.length_buckets": (16, 32)},
    **{f"remat {kind}": {"train.remat": kind} for kind in ("none", "dots", "full")},
    "accumulation": {"train.gradient_accumulation_steps": 2},
    "full fine-tuning": {"lora.enabled": False},
    "full fine-tuning with muon": {"lora.enabled": False, "train.optimizer": "muon"},
    "full fine-tuning with adafactor and accumulation": {
        "lora.enabled": False,
        "train.optimizer": "adafactor",
        "train.gradient_accumulation_steps": 2,
    },
}
SHARDED = ("adamw", "muon", "dora", "int8", "accumulation", "full fine-tuning", "full fine-tuning with muon")


@pytest.fixture(autouse=True)
def plan_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of one process share what was compiled."""
    monkeypatch.setenv("PODIUM_WORKSPACE", str(tmp_path_factory.getbasetemp() / "plan"))


def compiled(target: str, overrides: dict[str, Any], functions: tuple[str, ...]) -> list[Any]:
    config = RunConfig().with_overrides({**BASE, **overrides})
    jobs = [Job(config=config, target=find_target(target), function=name) for name in functions]
    return [program for programs in compile_all(jobs) for program in programs]


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_training_step_builds(variant: str, target: str) -> None:
    programs = compiled(target, VARIANTS[variant], ("train",))
    assert all(program.refusal is None and program.total > 0 for program in programs)
    assert len(programs) == (3 if variant == "length buckets" else 1)


@pytest.mark.slow
@pytest.mark.parametrize("variant", SHARDED)
def test_a_training_step_builds_with_divided_parameters(variant: str) -> None:
    (program,) = compiled("v5e:2x4", {**VARIANTS[variant], "device.fsdp": 8}, ("train",))
    assert program.devices == (1, 8)
    assert program.refusal is None


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("family", ["gemma3_text", "qwen3", "llama"])
def test_every_function_builds(family: str, target: str) -> None:
    programs = compiled(target, {"model.source": str(MODELS / family)}, FUNCTION_NAMES)
    assert {program.function for program in programs} == {*FUNCTION_NAMES} - {"copies"}  # copies: on a CPU only
    assert all(program.refusal is None for program in programs)


@pytest.mark.slow
def test_generation_builds_with_divided_parameters() -> None:
    programs = compiled("v5e:2x4", {"device.fsdp": 8}, ("empty", "admit", "decode"))
    assert {program.function for program in programs} == {"empty", "admit", "decode"}


def test_every_optimizer_and_every_remat_is_in_the_table() -> None:
    tried = {value for overrides in VARIANTS.values() for value in overrides.values() if isinstance(value, str)}
    for key in ("optimizer", "remat", "dtype"):
        names = set(get_args(TrainConfig.model_fields[key].annotation))
        assert names - tried <= {RunConfig().get(f"train.{key}"), "auto"}, key


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tpu", "gpu"])
def test_the_compilers_are_those_that_jax_asks_for(kind: Any) -> None:
    assert {*PACKAGES[kind]} < {*check_tools(kind)}
