"""Candidate programs: find them in text, run them in the sandbox, rank them by train pairs, make attempts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eval.arc.grids import Grid, grid_problem
from eval.arc.tasks import Task, output_ids
from eval.sandbox.sandbox import Limits, ProgramResult, Sandbox
from podium.core.errors import UsageError

TEST_WEIGHT = 10

_BLOCK = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_SOLVE = re.compile(r"^def solve\(", re.MULTILINE)
_CODE = re.compile(r"^(?:import \w|from [\w.]+ import |def \w+\(|class \w+[:(]|@\w)", re.MULTILINE)


@dataclass(frozen=True)
class Candidate:
    """The results of programs that agree on every input. Nothing here depends on the test outputs."""

    program: str  # the first of the programs
    votes: int  # the number of programs that agree
    train_correct: int
    n_train: int
    outputs: tuple[Grid | None, ...]  # for the test inputs; None if the program returned no grid
    reason: str  # `3 of 3 train pairs`, or why the first wrong pair is wrong


def find_program(text: str) -> str | None:
    """The last fenced block that defines solve(), else the text from its first line of code; None without solve()."""
    blocks = [block for block in _BLOCK.findall(text) if _SOLVE.search(block)]
    if blocks:
        return str(blocks[-1])
    if not _SOLVE.search(text):
        return None
    start = _CODE.search(text)
    return text[start.start() if start else 0 :].partition("```")[0]


def run_candidates(
    task: Task, programs: Sequence[str], sandbox: Sandbox, *, limits: Limits | None = None
) -> list[Candidate]:
    """Run each distinct program once on all inputs of `task`; the best candidate comes first."""
    inputs = [pair.input for pair in (*task.train, *task.test)]
    distinct = list(dict.fromkeys(programs))
    results = dict(zip(distinct, sandbox.run_many([(text, inputs) for text in distinct], limits=limits), strict=True))
    return rank(task, programs, [results[text] for text in programs])


def rank(task: Task, programs: Sequence[str], results: Sequence[ProgramResult]) -> list[Candidate]:
    """Candidates ordered by train pairs solved, then by the number of programs that agree, then by position.

    `results[i]` belongs to `programs[i]`, for the train inputs followed by the test inputs. Programs with equal outputs
    form one candidate, so that the second attempt differs from the first.
    """
    groups: dict[str, list[int]] = {}
    for i, result in enumerate(results):
        groups.setdefault(repr(result.outputs), []).append(i)
    found = [_candidate(task, programs[group[0]], results[group[0]], len(group)) for group in groups.values()]
    return sorted(found, key=lambda candidate: (-candidate.train_correct, -candidate.votes))  # stable: then by order


def attempts(task: Task, candidates: Sequence[Candidate]) -> dict[str, list[Grid]]:
    """The grids of the best two candidates that returned one, by output id, for `build_submission`."""
    grids = {id_: [c.outputs[i] for c in candidates] for i, id_ in enumerate(output_ids(task))}
    return {id_: [grid for grid in column if grid is not None][:2] for id_, column in grids.items()}


def fitness(train_correct: int, test_correct: int) -> int:
    """A figure for development, not a score: 3 train pairs and 1 test pair give 13, 3 and 0 give 3."""
    return train_correct + TEST_WEIGHT * test_correct


def development_fitness(task: Task, candidate: Candidate) -> int:
    """The `fitness` of a candidate. Raises UsageError if a test output of `task` is unknown."""
    if any(pair.output is None for pair in task.test):
        raise UsageError(f"task {task.id} has no solution; give the solutions file for a fitness")
    right = sum(pair.output == output for pair, output in zip(task.test, candidate.outputs, strict=True))
    return fitness(candidate.train_correct, right)


def _candidate(task: Task, program: str, result: ProgramResult, votes: int) -> Candidate:
    grids = [_integers(value) for value in result.outputs]
    problems = [error or grid_problem(grid) for error, grid in zip(result.errors, grids, strict=True)]
    n_train = len(task.train)
    wrong = [
        f"train {i}: {problems[i] or 'a different grid'}"
        for i, pair in enumerate(task.train)
        if problems[i] or grids[i] != pair.output
    ]
    reason = "; ".join([f"{n_train - len(wrong)} of {n_train} train pairs", *wrong[:1]])
    outputs = tuple(None if problem else grid for grid, problem in zip(grids, problems, strict=True))
    return Candidate(program, votes, n_train - len(wrong), n_train, outputs[n_train:], reason)


def _integers(value: Any) -> Any:
    """`value` with cells such as 0.0 (from np.zeros) and True (from a mask) as the integers they equal."""
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        return value
    return [[int(cell) if isinstance(cell, bool | float) and cell % 1 == 0 else cell for cell in row] for row in value]
