"""A small trainset, a config for it, and programs that are compiled once for the whole folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.records import ReasoningTrace, Sample, TraceStep
from trainer.data.trainsets import write_trainset
from trainer.programs.library import ProgramLibrary


def trace(prompt: str, answer: str, *steps: str) -> ReasoningTrace:
    return ReasoningTrace(
        prompt=prompt,
        final_answer=answer,
        steps=tuple(TraceStep(i=i, type="compute", content=content) for i, content in enumerate(steps)),
    )


def sums() -> list[ReasoningTrace]:
    """100 one-step sums."""
    return [trace(f"{a}+{b}=?", str(a + b), f"{a}+{b}={a + b}") for a in range(10) for b in range(10)]


@pytest.fixture(scope="session")
def trainset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trainsets") / "sums"
    write_trainset(folder, sums(), name="sums", recipe="test", recipe_version="1", seed=None)
    return folder


@pytest.fixture(scope="session")
def config(trainset: Path) -> RunConfig:
    """A short run. The configs in tests/cli and in tests/tuning/workers/test_worker.py have its shapes, so
    that a session compiles each program once."""
    return RunConfig().with_overrides(
        {
            "data.trainset": str(trainset),
            "data.max_seq_len": 32,
            "train.max_steps": 12,
            "train.learning_rate": 3e-3,
            "train.remat": "none",
            "train.batch_size": 4,
            "train.log_every_steps": 4,
            "train.save_every_steps": 5,
            "generate.batch_size": 4,
            "generate.max_prompt_tokens": 8,
            "generate.max_new_tokens": 16,
        }
    )


@pytest.fixture(scope="session")
def adapted(config: RunConfig) -> RunConfig:
    """DoRA with dropout on a base in int8: one program for the tests of all three."""
    adapters = {"lora.enabled": True, "lora.rank": 2, "lora.dora": True, "lora.dropout": 0.5}
    return config.with_overrides({"model.base_dtype": "int8", **adapters})


@pytest.fixture(scope="session")
def library() -> ProgramLibrary:
    return ProgramLibrary()


@pytest.fixture
def forever() -> Deadline:
    return Deadline.after(None)


@pytest.fixture(scope="session")
def make_samples() -> Callable[..., list[Sample]]:
    def make(*prompts: str) -> list[Sample]:
        facts = {"expected_answer": "1", "section": "core", "category": "sum", "difficulty": "easy"}
        return [Sample(id=f"s-{number}", prompt=prompt, **facts) for number, prompt in enumerate(prompts)]

    return make
