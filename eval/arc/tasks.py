"""ARC tasks: read challenges and solutions, and build prompts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.arc.grids import Grid, format_grid, grid_problem
from podium.core.errors import UsageError
from podium.core.files import read_json

RULE = "Every input grid becomes its output grid by one and the same rule. A cell is a digit from 0 to 9."
AS_GRID = "Give the output grid of the test input: one line a row, a space between the cells."
AS_PROGRAM = (
    "Write a Python function solve(grid) that makes the output grid of any input grid. A grid is a list of rows, each "
    "a list of integers. The standard library and numpy are there; files, network and other processes are not."
)


@dataclass(frozen=True)
class Pair:
    input: Grid
    output: Grid | None  # None for a test input with an unknown solution


@dataclass(frozen=True)
class Task:
    id: str
    train: tuple[Pair, ...]
    test: tuple[Pair, ...]


def load_tasks(challenges: Path, solutions: Path | None = None) -> dict[str, Task]:
    """Read `{id: {"train": [{"input", "output"}], "test": [{"input"}]}}` and `{id: [grid, ...]}`, in the file's order.

    A test pair may include its output. `solutions` may hold more tasks than `challenges`.

    Raises:
        UsageError: the message has file, task, place and rule.
    """
    tasks = {id_: parse_task(id_, value, f"{challenges}: task {id_}") for id_, value in _table(challenges).items()}
    if solutions is None:
        return tasks
    known = _table(solutions)
    return {id_: _with_solution(task, known.get(id_), f"{solutions}: task {id_}") for id_, task in tasks.items()}


def parse_task(id_: str, value: Any, where: str) -> Task:
    """The inverse of `task_json`. Raises UsageError with `where`, the place and the rule."""
    if not isinstance(value, dict) or not {"train", "test"} <= set(value):
        raise UsageError(f"{where}: must be an object with 'train' and 'test'")
    train, test = (_pairs(value[part], f"{where}, {part}") for part in ("train", "test"))
    for i, pair in enumerate(train):
        if pair.output is None:
            raise UsageError(f"{where}, train {i}: has no 'output'; only a test pair may omit it")
    return Task(id_, train, test)


def task_json(task: Task) -> dict[str, list[dict[str, Grid]]]:
    """`task` in the format of a challenges file, with the known outputs of its test pairs."""
    return {
        name: [{"input": pair.input} | ({"output": pair.output} if pair.output else {}) for pair in pairs]
        for name, pairs in (("train", task.train), ("test", task.test))
    }


def output_ids(task: Task) -> list[str]:
    """One id per test output, which is also the id of the evalset item."""
    return [f"{task.id}_{i}" for i in range(len(task.test))]


def grid_prompt(task: Task, test_index: int) -> str:
    """The train pairs and one test input; the answer is its output grid as text."""
    test = f"Test input:\n{format_grid(task.test[test_index].input)}"
    return "\n\n".join((RULE, *_examples(task), test, AS_GRID))


def program_prompt(task: Task) -> str:
    """The train pairs and every test input; the answer is a program."""
    tests = [f"Test input {i}:\n{format_grid(pair.input)}" for i, pair in enumerate(task.test, 1)]
    return "\n\n".join((RULE, *_examples(task), *tests, AS_PROGRAM))


def _examples(task: Task) -> list[str]:
    return [
        f"Example {i} input:\n{format_grid(pair.input)}\n\nExample {i} output:\n{format_grid(pair.output or [])}"
        for i, pair in enumerate(task.train, 1)
    ]


def _table(path: Path) -> Mapping[str, Any]:
    table = read_json(path)
    if not isinstance(table, dict) or not table:
        raise UsageError(f"{path} holds {type(table).__name__}, must be a non-empty object of task ids")
    return table


def _pairs(value: Any, where: str) -> tuple[Pair, ...]:
    if not isinstance(value, list) or not value:
        raise UsageError(f"{where}: must be a non-empty list of pairs")
    return tuple(_pair(pair, f"{where} {i}") for i, pair in enumerate(value))


def _pair(value: Any, where: str) -> Pair:
    if not isinstance(value, dict) or "input" not in value:
        raise UsageError(f"{where}: must be an object with 'input'")
    output = None if value.get("output") is None else check_grid(value["output"], f"{where} output")
    return Pair(check_grid(value["input"], f"{where} input"), output)


def _with_solution(task: Task, outputs: Any, where: str) -> Task:
    n_tests = len(task.test)
    if not isinstance(outputs, list) or len(outputs) != n_tests:
        found = f"{len(outputs)} outputs" if isinstance(outputs, list) else "no list of outputs"
        raise UsageError(f"{where}: {found}, must be one for each of its {n_tests} test inputs")
    grids = [check_grid(output, f"{where}, output {i}") for i, output in enumerate(outputs)]
    test = tuple(Pair(pair.input, grid) for pair, grid in zip(task.test, grids, strict=True))
    return Task(task.id, task.train, test)


def check_grid(value: Any, where: str) -> Grid:
    """`value` as a grid. Raises UsageError with `where` and the rule that it breaks."""
    problem = grid_problem(value)
    if problem:
        raise UsageError(f"{where}: {problem}")
    grid: Grid = value
    return grid
