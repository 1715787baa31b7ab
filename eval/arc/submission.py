"""`submission.json` in the exact format of the competition, and its score."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.arc.grids import Grid
from eval.arc.tasks import Task, check_grid, output_ids
from podium.core.errors import UsageError
from podium.core.files import read_json, write_text

ATTEMPTS = ("attempt_1", "attempt_2")
# The placeholder for a missing attempt, as in the competition's sample file; each attempt must be a grid.
NO_GRID: Grid = [[0, 0], [0, 0]]
Submission = dict[str, list[dict[str, Grid]]]


def build_submission(tasks: Mapping[str, Task], attempts: Mapping[str, Sequence[Grid]]) -> Submission:
    """Two attempts for each test output of each task, in the tasks' order.

    `attempts` maps an output id (`output_ids`) to its grids, best first. The first two are used; a single grid is used
    twice, and without grids both attempts are `NO_GRID`.

    Raises:
        UsageError: an id belongs to no task, or a value is not a grid.
    """
    known = {id_ for task in tasks.values() for id_ in output_ids(task)}
    unknown = sorted(set(attempts) - known)
    if unknown:
        raise UsageError(
            f"attempts for {unknown[0]!r}, which is not an output of these tasks ({len(unknown)} in total)"
        )
    return {task.id: [_two(attempts.get(id_, ()), id_) for id_ in output_ids(task)] for task in tasks.values()}


def write_submission(path: Path, submission: Submission, tasks: Mapping[str, Task]) -> None:
    """Check and write. Raises UsageError, and writes nothing, if the format is not the competition's."""
    check_submission(submission, tasks, "submission")
    write_text(path, json.dumps(submission, separators=(",", ":")) + "\n")  # not sorted: the order is the tasks'


def read_submission(path: Path, tasks: Mapping[str, Task]) -> Submission:
    return check_submission(read_json(path), tasks, str(path))


def check_submission(value: Any, tasks: Mapping[str, Task], where: str) -> Submission:
    """`value`, checked: every task once, every test output, two grids each. Raises UsageError with the place."""
    if not isinstance(value, dict):
        raise UsageError(f"{where}: holds {type(value).__name__}, must be an object of task ids")
    for wrong, rule in (
        (set(tasks) - set(value), "is missing"),
        (set(value) - set(tasks), "is unknown"),
    ):
        if wrong:
            raise UsageError(
                f"{where}: task {min(wrong)} {rule} ({len(wrong)} in total); it must hold every task and no other"
            )
    for id_, task in tasks.items():
        outputs = value[id_]
        if not isinstance(outputs, list) or len(outputs) != len(task.test):
            found = len(outputs) if isinstance(outputs, list) else type(outputs).__name__
            raise UsageError(f"{where}: task {id_} has {found} outputs, must be a list of {len(task.test)}")
        for output, output_id in zip(outputs, output_ids(task), strict=True):
            if not isinstance(output, dict) or set(output) != set(ATTEMPTS):
                raise UsageError(f"{where}: {output_id} must hold attempt_1 and attempt_2, and nothing else")
            for attempt in ATTEMPTS:
                check_grid(output[attempt], f"{where}: {output_id} {attempt}")
    submission: Submission = value
    return submission


def solved_outputs(submission: Submission, tasks: Mapping[str, Task]) -> dict[str, bool]:
    """Whether either attempt is exactly right, by output id. The competition's score is the share of True.

    Raises:
        UsageError: a task has no solution.
    """
    solved = {}
    for id_, task in tasks.items():
        for output_id, pair, output in zip(output_ids(task), task.test, submission[id_], strict=True):
            if pair.output is None:
                raise UsageError(f"{output_id} has no solution; give the solutions file to score")
            solved[output_id] = pair.output in (output[attempt] for attempt in ATTEMPTS)
    return solved


def _two(grids: Sequence[Grid], where: str) -> dict[str, Grid]:
    chosen = [check_grid(grid, f"{where}, attempt {i + 1}") for i, grid in enumerate(grids[:2])]
    first, second = (chosen * 2)[:2] if chosen else (NO_GRID, NO_GRID)
    return dict(zip(ATTEMPTS, (first, second), strict=True))
