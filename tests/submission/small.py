"""A submission of a few steps on small data: what the tests of submission and of its commands share."""

import functools
from pathlib import Path

import pytest
import yaml
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from podium.core.config import RunConfig
from podium.core.files import read_json, write_json, write_jsonl, write_text
from podium.core.paths import study_dir
from podium.core.promotion import PromotionRecord
from podium.core.records import ReasoningTrace, Sample
from podium.core.run_files import MANIFEST
from podium.core.states import State
from podium.submission.evidence import hash_files
from podium.submission.lock import write_lock
from podium.submission.manifest import read_manifest, write
from podium.submission.run_once import submit
from trainer.data.trainsets import write_trainset
from trainer.programs.library import ProgramLibrary
from trainer.recipes import trainset_recipe
from tuning.search.load import load_space
from tuning.study.create import create
from tuning.study.files import MLFLOW_RUN_FILE, trial_dir
from tuning.study.trial import OVERRIDES as DRAWN
from tuning.study.trial import REASON, STATE
from tuning.workers.worker import Worker

OVERRIDES = {
    "data.trainset": "small",
    "data.max_seq_len": 32,
    "eval.evalset": "small_v1",
    "generate.batch_size": 4,
    "generate.max_prompt_tokens": 8,
    "generate.max_new_tokens": 16,
    "train.batch_size": 4,
    "train.remat": "none",
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
        submission_s=90.0,
        mlflow_run_id="0123456789abcdef0123456789abcdef",
    )


def write_data(home: Path, n_items: int = 12) -> None:
    """A trainset of 48 traces and an evalset of `n_items`, some of them in each split."""
    facts = {"name": "small", "recipe": "tiny-reasoning", "recipe_version": "1", "seed": 42}
    write_trainset(home / "trainsets/small", _traces(), **facts)
    groups = {"section": "core", "category": "sum", "difficulty": "easy"}
    numbers = range(n_items)
    samples = [Sample(id=f"item-{n}", prompt=f"{n} and {n}?", expected_answer=str(2 * n), **groups) for n in numbers]
    write_jsonl(home / "evalsets/small_v1.jsonl", [sample.model_dump(mode="json") for sample in samples])


@functools.cache
def _traces() -> list[ReasoningTrace]:
    return trainset_recipe("tiny-reasoning").traces(42)[:48]


@functools.cache
def library() -> ProgramLibrary:
    """One for all tests of a process: everything is compiled once."""
    return ProgramLibrary()


def write_finished(home: Path) -> None:
    """Small data and the complete submission `done`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PODIUM_HOME", str(home))
        patch.delenv("PODIUM_WORKSPACE", raising=False)
        write_data(home)
        write_lock(promotion(), "done")
        submit("done", library=library())


def write_study(home: Path, *trials: tuple[State, float | None], n_items: int = 12) -> str:
    """A study whose trials, at learning rates 1e-3, 2e-3 and so on, ended in these states with these scores.

    The first has the values of the base config.
    """
    base: dict[str, dict] = {}
    for key, value in OVERRIDES.items():
        section, name = key.split(".")
        base.setdefault(section, {})[name] = value
    rate = {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}
    space = {"name": "small", "base": "base.yaml", "trials": 3, "report_every_steps": 1, "scheduler": "none"}
    (home / "base.yaml").write_text(yaml.safe_dump(base))
    (home / "space.yaml").write_text(
        yaml.safe_dump({**space, "baseline": False, "parameters": {"train.learning_rate": rate}})
    )
    write_data(home, n_items)
    space = load_space(home / "space.yaml")
    study = create(space, None, Worker.check(space))
    for number, (state, value) in enumerate(trials):
        _add_trial(study, (number + 1) / 1000, state, value)
    return study.study_name


def _add_trial(study, learning_rate: float, state: State, value: float | None) -> None:
    study.enqueue_trial({"train.learning_rate": learning_rate})
    trial = study.ask({"train.learning_rate": FloatDistribution(1e-4, 1e-1, log=True)})
    trial.set_user_attr(STATE, state)
    trial.set_user_attr(DRAWN, trial.params)
    if state is State.COMPLETE:
        write_text(trial_dir(study_dir(study.study_name), trial.number) / MLFLOW_RUN_FILE, f"{trial.number:032x}")
        study.tell(trial, value)
    elif state.is_final:
        trial.set_user_attr(REASON, f"loss exploded in trial {trial.number}")
        study.tell(trial, state=TrialState.PRUNED)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its content: equal before and after means that nothing was written."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def flip(path: Path, position: int = -2) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def edit(path: Path, **changes) -> None:
    """Change keys of a JSON file, which is written as Podium writes it."""
    write_json(path, {**read_json(path), **changes})


def seal(run_dir: Path) -> None:
    """Write the manifest anew for files that were changed, as whoever changed them could."""
    path = run_dir / MANIFEST
    changed = read_manifest(path).model_copy(update={"files": hash_files(run_dir)})
    write(path, changed.model_copy(update={"evidence_id": changed.content_id()}))
