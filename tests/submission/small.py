"""A submission of a few steps on small data: what the tests of submission and of its commands share."""

import functools
from pathlib import Path

import pytest

from podium.core.config import RunConfig
from podium.core.files import write_jsonl
from podium.core.records import PromotionRecord, ReasoningTrace, Sample
from podium.core.states import State
from podium.submission.lock import write_lock
from podium.submission.run_once import submit
from trainer.library import ProgramLibrary
from trainer.recipes import trainset_recipe
from trainer.trainsets import write_trainset

OVERRIDES = {
    "data.trainset": "small",
    "data.max_seq_len": 32,
    "eval.evalset": "small_v1",
    "generate.batch_size": 8,
    "generate.max_new_tokens": 4,
    "train.batch_size": 2,
    "train.learning_rate": 1e-3,
    "train.max_steps": 3,
}


def promotion(**changes) -> PromotionRecord:
    """What the gate hands over, with config keys changed: `promotion(**{"train.seed": 1})`."""
    config = RunConfig().with_overrides({**OVERRIDES, **changes})
    return PromotionRecord(
        study="small-001",
        trial=3,
        config=config.model_dump(mode="json"),
        overrides={"train.learning_rate": 1e-3},
        metric="dev/answer_correctness",
        direction="maximize",
        value=12.5,
        state=State.COMPLETE,
        mlflow_run_id="0123456789abcdef0123456789abcdef",
    )


def write_data(home: Path, n_items: int = 12) -> None:
    """A trainset of 48 traces and an evalset of `n_items`, some of them in each split."""
    write_trainset(
        home / "trainsets/small", _traces(), name="small", recipe="tiny-reasoning", recipe_version="1", seed=42
    )
    facts = {"section": "core", "category": "sum", "difficulty": "easy"}
    numbers = range(n_items)
    samples = [Sample(id=f"item-{n}", prompt=f"{n} and {n}?", expected_answer=str(2 * n), **facts) for n in numbers]
    write_jsonl(home / "evalsets/small_v1.jsonl", [sample.model_dump(mode="json") for sample in samples])


@functools.cache
def _traces() -> list[ReasoningTrace]:
    return trainset_recipe("tiny-reasoning").traces(42)[:48]


@functools.cache
def library() -> ProgramLibrary:
    """One for all tests of a process: everything is compiled once."""
    return ProgramLibrary()


@functools.cache
def finished(base: Path) -> Path:
    """A home below the session's `base` with small data and the complete submission `done`; not to be changed."""
    home = base / "finished"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PODIUM_HOME", str(home))
        patch.delenv("PODIUM_WORKSPACE", raising=False)
        write_data(home)
        write_lock(promotion(), "done")
        submit("done", library=library())
    return home


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its content: equal before and after means that nothing was written."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def flip(path: Path, position: int = -2) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
