"""ARC from the competition's files to its submission.json, by a sweep over how many programs are written a task."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from eval.arc.submission import read_submission
from eval.arc.tasks import AS_PROGRAM, load_tasks
from eval.scorecard import Scorecard
from podium.cli.main import main
from podium.core.files import read_jsonl
from podium.core.hashing import sha256_file
from podium.core.records import Prediction, ReasoningTrace, read_record, read_records
from podium.core.states import State
from trainer.data.trainsets import write_trainset
from tuning.study.study import load_study

FLIPS = "def solve(grid):\n return[r[::-1]for r in grid]"
BASE = {
    "data": {"trainset": "flips", "max_seq_len": 128},
    "train": {"max_steps": 30, "batch_size": 4, "learning_rate": 1e-2, "remat": "none"},
    "generate": {"batch_size": 8, "max_prompt_tokens": 48, "max_new_tokens": 96, "temperature": 0.2},
    "eval": {"evalset": "known", "submission_split": "all", "challenges": "hidden.json"},
}
SPACE = {
    "name": "population",
    "base": "base.yaml",
    "sampler": "grid",
    "trials": 2,
    "report_every_steps": 30,
    "parameters": {"generate.num_samples": {"type": "categorical", "choices": [1, 3]}},
    "start_with": [{"generate.num_samples": 3}],
}


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def tasks(n_tests: list[int], first: int) -> dict[str, Any]:
    """Tasks whose rule is a flip from left to right, each with grids of its own."""

    def grid(number: int) -> list[list[int]]:
        return [[number % 10, (number + 1) % 10, 3], [1, 2, (number + 5) % 10]]

    def flipped(number: int) -> list[list[int]]:
        return [row[::-1] for row in grid(number)]

    return {
        f"task{first + i}": {
            "train": [{"input": grid(at), "output": flipped(at)} for at in (first + i, first + i + 1)],
            "test": [{"input": grid(first + i + 2 + test)} for test in range(n)],
        }
        for i, n in enumerate(n_tests)
    }


def solutions(of: dict[str, Any]) -> dict[str, Any]:
    return {id_: [[row[::-1] for row in pair["input"]] for pair in task["test"]] for id_, task in of.items()}


@pytest.fixture
def here(home: Path, store: Path) -> Path:  # noqa: ARG001
    """A scored set, a hidden one, and a trainset that teaches the one program that solves both."""
    known, hidden = tasks([1, 1, 2, 1, 1, 1, 2, 1], 0), tasks([2, 1], 50)
    for name, values in (("known", known), ("solutions", solutions(known)), ("hidden", hidden)):
        (home / f"{name}.json").write_text(json.dumps(values))
    # What an ARC prompt ends in is all that so short a context holds of it.
    prompts = [AS_PROGRAM[-length:] for length in range(40, 56)]
    traces = [ReasoningTrace(prompt=prompt, final_answer=f"```python\n{FLIPS}\n```") for prompt in prompts]
    write_trainset(home / "trainsets/flips", traces, name="flips", recipe="test", recipe_version="1", seed=None)
    (home / "base.yaml").write_text(yaml.safe_dump(BASE))
    (home / "space.yaml").write_text(yaml.safe_dump(SPACE))
    return home


@pytest.mark.slow
def test_a_population_is_swept_learned_from_and_submitted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported = ("evalset", "import", "known.json", "--solutions", "solutions.json", "--format", "arc", "--as", "known")
    assert command(*imported, "--scorer", "arc_program") == 0
    assert command("sweep", "space.yaml", "--backend", "inline") == 0

    for trial in load_study("population-001").trials:
        n = trial.overrides["generate.num_samples"]
        assert (trial.state, trial.value) == (State.COMPLETE, 100.0)
        found = read_records(Prediction, trial.dir / "predictions.jsonl")
        card = read_record(Scorecard, trial.dir / "scorecard.json")
        assert len(found) == n * card.n_items and card.n_samples == n
        assert (card.metrics["fitness"].value, card.metrics["train_pairs"].value) == (12.0, 100.0)

    assert command("trainset", "from-predictions", "population-001/1", "--as", "solved") == 0
    assert all(
        trace["final_answer"] == f"```python\n{FLIPS}\n```"
        for _, trace in read_jsonl(here / "trainsets/solved/traces.jsonl")
    )

    assert command("promote", "population-001", "--quick", "--as", "final") == 0
    assert command("submit", "final") == 0
    assert "3 of 3 test outputs answered with the weights of" in capsys.readouterr().out
    run, hidden = here / "submission_runs/final", load_tasks(here / "hidden.json")
    submission = read_submission(run / "submission.json", hidden)
    assert list(submission) == ["task50", "task51"], "the hidden tasks, and no others"
    for id_, outputs in solutions(json.loads((here / "hidden.json").read_text())).items():
        assert [{"attempt_1": grid, "attempt_2": grid} for grid in outputs] == submission[id_]
    summary = json.loads((run / "eval_summary.json").read_text())
    about = {"name": "hidden.json", "sha256": sha256_file(here / "hidden.json"), "n_items": 3, "n_answered": 3}
    assert (summary["primary_score"], summary["challenges"]) == (1.0, about)

    assert command("package", "final") == 0
    (package,) = here.glob("submission_runs/packages/podium_final_*.zip")
    with zipfile.ZipFile(package) as archive:
        packaged = f"{package.stem}/submission_runs/final"
        assert json.loads(archive.read(f"{packaged}/submission.json")) == submission
        assert archive.read(f"{packaged}/challenge_predictions.jsonl")

    # The same by hand: no score, and none to be had.
    # A split is one of an evalset: the challenges are answered whole.
    hidden = ("--challenges", "hidden.json", "--split", "dev")
    assert command("predict", "--run", run, *hidden, "--out", "by_hand/p.jsonl") == 0
    printed = capsys.readouterr().out
    assert "2 tasks in the competition's format, by arc_program" in printed
    assert "no score: the challenges have no solutions here" in printed
    assert json.loads((here / "by_hand/submission.json").read_text()).keys() == submission.keys()
    assert command("score", "by_hand/p.jsonl", "--evalset", "known") == 2
    assert "whose solutions are unknown: there is no score" in capsys.readouterr().err
