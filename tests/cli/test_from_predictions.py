"""`podium trainset from-predictions`, from ARC files to a trainset of programs."""

import json

import pytest

from podium.core.files import read_jsonl, write_jsonl

FLIPS = "def solve(grid):\n    return [row[::-1] for row in grid]\n"


@pytest.fixture
def arc(podium, home):
    pairs = {"train": [{"input": [[1, 2]], "output": [[2, 1]]}], "test": [{"input": [[8, 9]]}]}
    (home / "c.json").write_text(json.dumps({"one": pairs, "two": pairs}))
    (home / "s.json").write_text(json.dumps({"one": [[[9, 8]]], "two": [[[9, 8]]]}))
    options = ("--solutions", "s.json", "--format", "arc", "--scorer", "arc_program", "--as", "arc")
    assert podium("evalset", "import", "c.json", *options).code == 0
    texts = (f"I see a flip.\n```python\n{FLIPS}```", "no idea", FLIPS)
    write_jsonl(home / "p.jsonl", [{"id": "one_0", "sample": i, "text": text} for i, text in enumerate(texts)])


@pytest.mark.usefixtures("arc")
def test_solved_tasks_become_traces(podium, home):
    command = ("trainset", "from-predictions", "p.jsonl", "--evalset", "arc", "--as", "programs")
    done = podium(*command)
    assert (done.code, done.err) == (0, "")
    assert "trainset     programs (from-predictions:arc_program version 1)\n" in done.out
    assert "traces       1: arc 1\n" in done.out
    assert "items        1 of 2 have a correct prediction\n" in done.out
    assert "note: its prompts are those of evalset arc; score models trained on it with another evalset\n" in done.out
    ((_, trace),) = read_jsonl(home / "trainsets/programs/traces.jsonl")
    assert trace["final_answer"] == f"```python\n{FLIPS.strip()}\n```"
    assert trace["meta"] == {"category": "arc", "item": "one_0", "fitness": 11.0, "train_pairs": 1.0}
    assert "solve(grid)" in trace["prompt"]
    assert podium("evalset", "check", "arc", "--trainset", "programs").code == 1  # it overlaps, as the note says
    again = podium(*command)
    assert again.code == 2
    assert "trainset 'programs' already exists" in again.err


@pytest.mark.usefixtures("arc")
def test_nothing_right_writes_nothing(podium, home):
    write_jsonl(home / "p.jsonl", [{"id": "one_0", "text": "no idea"}])
    done = podium("trainset", "from-predictions", "p.jsonl", "--evalset", "arc", "--as", "programs")
    assert done.code == 2
    assert done.err.startswith("error: none of the predictions is correct")
    assert not (home / "trainsets").exists()
