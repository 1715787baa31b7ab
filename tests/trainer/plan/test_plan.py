from pathlib import Path
from typing import Any

import pytest

from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from trainer.plan import tools
from trainer.plan.base import find_config, load_shapes
from trainer.plan.changes import changes_of_decoding, changes_of_training
from trainer.plan.compile import compile_all, jobs_of
from trainer.plan.plan import Plan, make_plan, smallest_change
from trainer.plan.program import Program
from trainer.plan.programs import requests
from trainer.plan.target import find_target
from trainer.programs.compiler import FUNCTION_NAMES
from trainer.programs.library import ProgramLibrary

SIZES: dict[str, Any] = {
    "data.max_seq_len": 48,
    "train.batch_size": 4,
    "generate.batch_size": 4,
    "generate.max_prompt_tokens": 16,
    "generate.max_new_tokens": 8,
}
CONFIG = RunConfig().with_overrides(SIZES)


@pytest.fixture(autouse=True)
def own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODIUM_WORKSPACE", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "accelerator", "count", "grid"),
    [
        ("kaggle-tpu-v5e-8", "tpu-v5e", 8, "2x4"),
        ("kaggle-gpu-t4x2", "t4", 2, None),
        ("v5e:2x2", "tpu-v5e", 4, "2x2"),
        ("v4:2x2x1", "tpu-v4", 4, "2x2x1"),
        ("l4", "l4", 1, None),
        ("tpu-v6e", "tpu-v6e", 1, "1x1"),
    ],
)
def test_targets(name: str, accelerator: str, count: int, grid: str | None) -> None:
    target = find_target(name)
    assert (target.accelerator_name, target.count, target.grid) == (accelerator, count, grid)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "kaggle-t4",
            r"target 'kaggle-t4': did you mean kaggle-gpu-t4x2\? It must be a profile: local, kaggle-tpu-v5e-8",
        ),
        ("v9:2x2", "unknown TPU generation 'v9', must be one of v4, v5e"),
        ("tpu-v4", "give the topology, such as --on v4:2x2x1"),
    ],
)
def test_unknown_targets(name: str, line: str) -> None:
    with pytest.raises(UsageError, match=line):
        find_target(name)


def test_one_chip_of_a_machine() -> None:
    one = find_target("kaggle-tpu-v5e-8").with_count(1)
    assert (one.count, one.topology, one.name) == (1, "v5e:1x1", "kaggle-tpu-v5e-8")
    with pytest.raises(UsageError, match="--chips 9, must be <= 8"):
        find_target("kaggle-tpu-v5e-8").with_count(9)


def test_every_function_that_a_program_can_request_is_planned() -> None:
    library = ProgramLibrary(load=load_shapes)
    config = library.resolve(CONFIG, lambda: [])
    planned = requests(library.training_program(config), library.decoding_program(config))
    assert set(planned) == set(FUNCTION_NAMES)
    assert [shape for shape, _ in planned["admit"]] == [(1, 16)]
    assert not library.compiles  # only asked for, so far


def test_a_run_is_planned_for_the_cpu_and_kept() -> None:
    seen: list[Program] = []
    plan = make_plan(CONFIG, find_target("local"), on_program=seen.append, functions={"train", "empty"})
    assert plan.fits
    assert {program.label for program in plan.programs} == {"train 1 x 4 x 48", "empty 4"} == {p.label for p in seen}
    (train,) = [program for program in plan.programs if program.function == "train"]
    assert train.temporaries and train.arguments > 3 * 10**6  # weights and two moments of a million numbers
    # A second plan compiles nothing: no child could answer within no time.
    again = make_plan(CONFIG, find_target("local"), limit_s=0.0, functions={"train", "empty"})
    assert again.programs == plan.programs


def test_a_compilation_has_a_time_limit() -> None:
    with pytest.raises(PodiumError, match=r"the function init for 1 x cpu: not compiled within 0 s; give more"):
        compile_all(jobs_of(CONFIG, find_target("local"))[:1], limit_s=0.0)


def test_a_missing_compiler_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tools, "tools_folder", lambda: tmp_path)
    with pytest.raises(UsageError, match=r"libtpu is missing, which compiles for a tpu; `make plan-tools` installs it"):
        compile_all(jobs_of(CONFIG, find_target("v5e:1x1")))


def test_a_compiler_of_another_version_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    info = tmp_path / "libtpu-0.0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: libtpu\nVersion: 0.0.1\n")
    monkeypatch.setattr(tools, "tools_folder", lambda: tmp_path)
    with pytest.raises(UsageError, match=r"libtpu 0\.0\.1, must be 0\.0\.\d+\. for jax"):
        tools.check_tools("tpu")


def test_shipped_models_need_no_files() -> None:
    for source in ("google/gemma-2b", "google/gemma-2-2b-it", "google/gemma-3-1b-it"):
        base = load_shapes(CONFIG.with_overrides({"model.source": source, "lora.enabled": True}))
        assert base.arch.vocab_size >= 256000
        assert base.end_ids[0] == 1
        with pytest.raises(UsageError, match=r"is not on this machine; without the tokenizer, set numbers for"):
            base.tokenizer.encode(["a"])
    with pytest.raises(UsageError, match=r"google/unknown-9b.*give a folder that holds it"):
        find_config(CONFIG.with_overrides({"model.source": "google/unknown-9b"}).model)


def test_changes_keep_the_examples_of_a_step_and_come_smallest_first() -> None:
    config = CONFIG.with_overrides({"lora.enabled": True, "train.remat": "none"})
    found = list(changes_of_training(config, find_target("v5e:2x2")))
    assert found[:3] == [
        {"device.fsdp": 4},
        {"train.remat": "full"},
        {"train.batch_size": 2, "train.gradient_accumulation_steps": 2},
    ]
    batches = [each for each in found if "train.batch_size" in each]
    assert all(each["train.batch_size"] * each["train.gradient_accumulation_steps"] == 4 for each in batches)
    assert found[-1]["data.max_seq_len"] < 48
    assert [each["generate.batch_size"] for each in changes_of_decoding(config)] == [2, 1]


@pytest.mark.slow
def test_the_smallest_change_is_compiled() -> None:
    roomy = make_plan(CONFIG, find_target("local"))
    step = next(program for program in roomy.programs if program.function == "train")
    tight = CONFIG.with_overrides({"device.memory_gb": (step.total - 1000) / 1e9})
    plan = make_plan(tight, find_target("local"))
    assert not plan.fits
    assert plan.reason is not None and "train 1 x 4 x 48 needs" in plan.reason
    change = smallest_change(plan)
    assert change is not None and change.plan.fits
    assert change.arguments.startswith("--set ")


def test_a_refused_program_does_not_fit() -> None:
    refused = Program(
        function="train",
        shape=(1, 64, 4096),
        devices=(1, 1),
        arguments=10,
        temporaries=None,
        results=0,
        beside=0,
        compile_s=1.0,
        refusal="RESOURCE_EXHAUSTED: too large",
    )
    plan = Plan(CONFIG, find_target("v5e:1x1"), [refused], 10**9)
    assert plan.reason == "train 1 x 64 x 4096 was refused: RESOURCE_EXHAUSTED: too large on tpu-v5e"
