"""Convert ARC tasks to evalset items (one per test output), and attempts at the items to a submission."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from eval.arc.grids import Grid, format_grid
from eval.arc.submission import Submission, build_submission
from eval.arc.tasks import Task, grid_prompt, output_ids, parse_task, program_prompt, task_json
from podium.core.errors import UsageError
from podium.core.records import Prompt, Question, Sample

Kind = Literal["arc_grid", "arc_program"]
EASY_CELLS, MEDIUM_CELLS = 50, 200  # most cells of test input and output together


def arc_samples(tasks: Mapping[str, Task], kind: Kind) -> list[Sample]:
    """One item per test output, with the ids of `output_ids`. A task's outputs are one group and stay in one split.

    Raises:
        UsageError: a task has no solution; an evalset needs answers.
    """
    return [_sample(task, i, id_, kind) for task in tasks.values() for i, id_ in enumerate(output_ids(task))]


def arc_questions(tasks: Mapping[str, Task], kind: Kind) -> list[Question]:
    """One question per test output, for tasks whose solutions are unknown."""
    return [
        Question(id=id_, prompt=_prompt(task, i, kind), meta=_meta(task))
        for task in tasks.values()
        for i, id_ in enumerate(output_ids(task))
    ]


def task_of(sample: Prompt) -> Task:
    """The task of an item. Raises UsageError if the item belongs to no ARC task."""
    id_ = sample.meta.get("group")
    if not isinstance(id_, str) or "task" not in sample.meta:
        raise UsageError(
            f"item {sample.id!r} belongs to no ARC task; `podium evalset import FILE --format arc` makes items that do"
        )
    task = parse_task(id_, sample.meta["task"], f"item {sample.id!r}: meta.task")
    if sample.id not in output_ids(task):
        raise UsageError(f"item {sample.id!r} is not a test output of task {id_}; import the set again")
    return task


def one_output(sample: Prompt) -> Task:
    """The task of an item, with the item's test pair only."""
    task = task_of(sample)
    return Task(task.id, task.train, (task.test[output_ids(task).index(sample.id)],))


def submission_of(
    samples: Iterable[Prompt], attempts: Mapping[str, Sequence[Grid]]
) -> tuple[Submission, dict[str, Task]]:
    """The submission for all tasks of `samples`, in their order, and the tasks: the arguments of `write_submission`.

    `attempts` maps item ids to grids, best first; an item without attempts gets the competition's placeholder.

    Raises:
        UsageError: an item belongs to no ARC task, or an id in `attempts` is unknown.
    """
    tasks = {task.id: task for task in map(task_of, samples)}
    return build_submission(tasks, attempts), tasks


def _sample(task: Task, i: int, id_: str, kind: Kind) -> Sample:
    pair = task.test[i]
    if pair.output is None:
        raise UsageError(
            f"task {task.id} has no solution, and an evalset needs answers; give --solutions FILE, or answer the "
            "challenges as they are: `podium predict --challenges FILE`"
        )
    n_cells = sum(len(grid) * len(grid[0]) for grid in (pair.input, pair.output))
    return Sample(
        id=id_,
        prompt=_prompt(task, i, kind),
        expected_answer=format_grid(pair.output),
        section="core",
        category="arc",
        difficulty="easy" if n_cells <= EASY_CELLS else "medium" if n_cells <= MEDIUM_CELLS else "hard",
        meta=_meta(task),
    )


def _prompt(task: Task, i: int, kind: Kind) -> str:
    return grid_prompt(task, i) if kind == "arc_grid" else program_prompt(Task(task.id, task.train, (task.test[i],)))


def _meta(task: Task) -> dict[str, Any]:
    return {"group": task.id, "task": task_json(task)}
