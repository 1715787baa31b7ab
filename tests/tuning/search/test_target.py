"""`target` of a space, with a profile of the workspace whose machine is this one."""

from pathlib import Path
from typing import Any

import pytest

from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.paths import workspace
from podium.core.states import State
from trainer.plan import tools
from tuning.search.load import load_space
from tuning.search.programs import distinct_programs
from tuning.search.target import misfit, refuse_misfit

SIZES: dict[str, Any] = {
    "data.max_seq_len": 48,
    "generate.batch_size": 4,
    "generate.max_prompt_tokens": 16,
    "generate.max_new_tokens": 8,
}
SMALL = {"train.batch_size": 2}
LARGE = {"train.batch_size": 256}
MEMORY = {"device.memory_gb": 0.06}


@pytest.fixture
def here(home: Path) -> str:
    """A profile of this machine's CPU."""
    assert workspace().is_relative_to(home)
    workspace().mkdir(parents=True, exist_ok=True)
    (workspace() / "profiles.yaml").write_text(
        "here: {accelerator: cpu, count: 1, session_h: 1, reserve_s: 10, rate: 0}\n"
    )
    return "here"


@pytest.mark.slow
def test_a_trial_that_would_not_fit_is_infeasible_before_it_trains(run_sweep: Any, here: str) -> None:
    study = run_sweep(
        {
            "target": here,
            "baseline": False,
            "overrides": {**SIZES, **MEMORY},
            "sampler": "grid",
            "scheduler": "none",
            "trials": 2,
            "parameters": {"train.batch_size": {"type": "categorical", "choices": [2, 256]}},
        }
    )
    states = {trial.overrides.get("train.batch_size", 2): trial for trial in study.trials}
    assert states[2].state is State.COMPLETE
    assert states[256].state is State.INFEASIBLE
    assert states[256].step == 0
    assert states[256].reason.startswith("does not fit on here: train 1 x 256 x 48 needs")


@pytest.mark.slow
def test_promotion_refuses_a_trial_that_does_not_fit(here: str) -> None:
    config = RunConfig().with_overrides({**SIZES, **MEMORY})
    assert misfit(config.with_overrides(SMALL), here) is None
    refuse_misfit(config.with_overrides(SMALL), here, trial=1)
    with pytest.raises(PodiumError, match=r"trial 7 does not fit on here: .*; nothing was locked, choose another with"):
        refuse_misfit(config.with_overrides(LARGE), here, trial=7)


def test_a_target_is_a_profile_with_an_accelerator(write_space: Any) -> None:
    with pytest.raises(UsageError, match=r"target='kaggle-tpu-v9', must be one of local, kaggle-tpu-v5e-8"):
        load_space(write_space(target="kaggle-tpu-v9"))
    with pytest.raises(UsageError, match=r"target='local' names no accelerator to compile for; leave it out"):
        load_space(write_space(target="local"))


def test_a_sweep_without_the_compiler_is_refused_at_its_start(
    run_sweep: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tools, "tools_folder", lambda: tmp_path)
    with pytest.raises(UsageError, match=r"libtpu is missing, which compiles for a tpu; `make plan-tools` installs it"):
        run_sweep({"target": "kaggle-tpu-v5e-8"})


def test_distinct_programs_are_all_found_with_the_corners_first(write_space: Any) -> None:
    space = load_space(
        write_space(
            parameters={
                "train.learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1},
                "train.batch_size": {"type": "int", "low": 1, "high": 4},
                "train.gradient_accumulation_steps": "=4 // train.batch_size",
                "train.optimizer": ["adamw", "sgd"],
                "lora.enabled": [True, False],
                "lora.rank": {"type": "categorical", "choices": [4, 8], "when": {"lora.enabled": True}},
            }
        )
    )
    configs, complete = distinct_programs(space, most=100)
    keys = {config.program_key for config in configs}
    assert complete and len(keys) == len(configs) == 1 + 4 * 2 * 3  # and the base config, whose batch is another
    assert configs[1].train.batch_size == 4 and configs[1].train.optimizer == "sgd"
    assert {config.train.batch_size for config in configs[1:]} == {1, 2, 3, 4}
    few, complete = distinct_programs(space, most=5)
    assert len(few) == 5 and not complete
