"""ARC pieces: grids and their text, tasks, submission.json, and programs that really run in the sandbox."""

import json

import pytest

from eval.arc.grids import find_grids, format_grid, grid_problem, parse_grid
from eval.arc.programs import attempts, development_fitness, find_program, fitness, rank, run_candidates
from eval.arc.submission import (
    NO_GRID,
    build_submission,
    check_submission,
    read_submission,
    solved_outputs,
    write_submission,
)
from eval.arc.tasks import Pair, Task, grid_prompt, load_tasks, output_ids, parse_task, program_prompt, task_json
from eval.sandbox.sandbox import Limits, ProgramResult, Sandbox
from podium.core.errors import UsageError

A, B, C = [[1, 2]], [[3], [4]], [[5]]
FLIP = Task(
    "flip",
    train=(Pair([[1, 2]], [[2, 1]]), Pair([[3, 4]], [[4, 3]]), Pair([[5, 5], [6, 7]], [[5, 5], [7, 6]])),
    test=(Pair([[8, 9]], [[9, 8]]),),
)
TWO = Task("two", train=(Pair(A, B),), test=(Pair(A, B), Pair(B, C)))
TASKS = {"two": TWO, "flip": FLIP}
FLIPS = "def solve(grid):\n    return [row[::-1] for row in grid]\n"
COPIES = "def solve(grid):\n    return grid\n"


def write(path, value):
    path.write_text(json.dumps(value))
    return path


# Grids


@pytest.mark.parametrize("grid", [[[0]], [[9] * 30] * 30, [[0, 1], [2, 3], [4, 5]]])
def test_a_grid_has_no_problem_and_survives_text(grid):
    assert grid_problem(grid) is None
    assert parse_grid(format_grid(grid)) == grid
    assert parse_grid(json.dumps(grid)) == grid
    assert parse_grid(json.dumps(grid, indent=1)) == grid


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "it is a NoneType, must be a list of 1 to 30 rows"),
        ([], "it is 0 rows, must be a list of 1 to 30 rows"),
        ([[0]] * 31, "it is 31 rows, must be a list of 1 to 30 rows"),
        ([7], "row 0 is a int, must be a list of 1 to 30 cells"),
        ([[]], "row 0 is 0 cells, must be a list of 1 to 30 cells"),
        ([[0] * 31], "row 0 is 31 cells, must be a list of 1 to 30 cells"),
        ([[1, 2], [3]], "row 1 has 1 cells and row 0 has 2, must be equal"),
        ([[1, 10]], "row 0, cell 1 is '10', must be an integer 0 to 9"),
        ([[-1]], "row 0, cell 0 is '-1', must be an integer 0 to 9"),
        ([[1.0]], "row 0, cell 0 is '1.0', must be an integer 0 to 9"),
        ([[True]], "row 0, cell 0 is 'True', must be an integer 0 to 9"),
        ([["1"]], "row 0, cell 0 is '1', must be an integer 0 to 9"),
    ],
)
def test_what_is_no_grid_breaks_a_named_rule(value, problem):
    assert grid_problem(value) == problem


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ("The output is\n1 2\n3 4\nas asked.", [[1, 2], [3, 4]]),
        ("12\n34", [[1, 2], [3, 4]]),
        ("1,2\n3, 4", [[1, 2], [3, 4]]),
        ("| 1 | 2 |\n| 3 | 4 |", [[1, 2], [3, 4]]),
        ("7", [[7]]),
        ("first 1 2\n\n1 2\n\nthen\n3 4", [[3, 4]]),
        ("[[1, 2], [3, 4]] or rather [[5]]", [[5]]),
        ("```json\n[\n  [1, 2],\n  [3, 4]\n]\n```", [[1, 2], [3, 4]]),
        ("[[1, 2], [3, 4],]", [[1, 2], [3, 4]]),
        ("<answer>1 2</answer> is better than\n3 4", [[1, 2]]),
        ("<answer>\n0 0\n</answer> no: <answer>\n5 6\n</answer>", [[5, 6]]),
        ("1 2\r\n3 4\r\n", [[1, 2], [3, 4]]),
    ],
)
def test_the_last_grid_in_a_text_counts(text, grid):
    assert parse_grid(text) == grid


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no grid in the text"),
        ("I cannot do it, 3 times.", "no grid in the text"),
        ("1 2\n3", r"the last grid in the text is invalid: row 1 has 1 cells"),
        ("[[1, 12]]", r"the last grid in the text is invalid: row 0, cell 1 is '12'"),
        ("[[1], [" + "9" * 5000 + "]]", r"cell 0 is '99999', must be an integer 0 to 9"),
        ("\n".join(["0 0"] * 31), r"it is 31 rows"),
    ],
)
def test_a_text_without_a_grid_says_why(text, message):
    with pytest.raises(ValueError, match=message):
        parse_grid(text)


def test_grids_are_found_in_order():
    assert find_grids("1 2\n\n[[3]]\n\n4 5") == [[[1, 2]], [[3]], [[4, 5]]]


def test_a_hostile_text_takes_linear_time():
    # Each of these would take hours if a pattern backtracked.
    n = 200_000
    for text in ("[" * n, "[[" + "1," * n, "[" + "[1]" * n, "0" + " " * n + "x", "0 " * n + "x"):
        assert all(len(grid) in (0, 1) for grid in find_grids(text))


# Tasks


def challenge(**changes):
    task = {"train": [{"input": A, "output": B}], "test": [{"input": A}, {"input": B}]}
    return {"two": {**task, **changes}}


def test_challenges_and_solutions_in_the_competitions_shape(tmp_path):
    challenges = write(tmp_path / "challenges.json", {"b": challenge()["two"], **challenge()})
    solutions = write(tmp_path / "solutions.json", {"two": [B, C], "b": [A, A], "more": [A]})
    assert list(load_tasks(challenges)) == ["b", "two"]
    assert load_tasks(challenges)["two"].test[0].output is None
    assert load_tasks(challenges, solutions)["two"] == TWO
    assert output_ids(TWO) == ["two_0", "two_1"]


@pytest.mark.parametrize("task", [TWO, Task("open", TWO.train, (Pair(A, None),))])
def test_a_task_survives_json(task):
    value = json.loads(json.dumps(task_json(task)))
    assert parse_task(task.id, value, "meta") == task
    assert ["output" in pair for pair in value["test"]] == [pair.output is not None for pair in task.test]


def test_a_test_pair_may_hold_its_own_output(tmp_path):
    path = write(tmp_path / "task.json", challenge(test=[{"input": A, "output": B}, {"input": B, "output": C}]))
    assert load_tasks(path)["two"] == TWO


@pytest.mark.parametrize(
    ("challenges", "solutions", "message"),
    [
        ([], None, "holds list, must be a non-empty object of task ids"),
        ({}, None, "holds dict, must be a non-empty object of task ids"),
        ({"two": {"train": []}}, None, "task two: must be an object with 'train' and 'test'"),
        (challenge(train=[]), None, "task two, train: must be a non-empty list of pairs"),
        (challenge(train=[{"input": A}]), None, "task two, train 0: has no 'output'; only a test pair may omit it"),
        (challenge(test=[{}]), None, "task two, test 0: must be an object with 'input'"),
        (challenge(test=[{"input": [[1], [2, 3]]}]), None, "task two, test 0 input: row 1 has 2 cells and row 0 has 1"),
        (challenge(), {"one": [A]}, "task two: no list of outputs, must be one for each of its 2 test inputs"),
        (challenge(), {"two": [A]}, "task two: 1 outputs, must be one for each of its 2 test inputs"),
        (challenge(), {"two": [A, [[11]]]}, "task two, output 1: row 0, cell 0 is '11', must be an integer 0 to 9"),
    ],
)
def test_a_bad_task_file_is_told_in_one_line(tmp_path, challenges, solutions, message):
    challenges = write(tmp_path / "challenges.json", challenges)
    solutions = None if solutions is None else write(tmp_path / "solutions.json", solutions)
    with pytest.raises(UsageError) as caught:
        load_tasks(challenges, solutions)
    assert message in str(caught.value) and str(solutions or challenges) in str(caught.value)


def test_prompts_hold_every_grid_but_the_answers():
    prompt = grid_prompt(TWO, 1)
    assert find_grids(prompt) == [A, B, B]  # train input, train output, the second test input
    assert find_grids(program_prompt(TWO)) == [A, B, A, B]
    assert "solve(grid)" in program_prompt(TWO)


# Submission


def test_submission_has_every_task_both_attempts_and_the_order(tmp_path):
    submission = build_submission(TASKS, {"two_1": [C, A, B], "two_0": [B]})
    path = tmp_path / "submission.json"
    write_submission(path, submission, TASKS)
    assert path.read_text() == (
        '{"two":[{"attempt_1":[[3],[4]],"attempt_2":[[3],[4]]},{"attempt_1":[[5]],"attempt_2":[[1,2]]}],'
        '"flip":[{"attempt_1":[[0,0],[0,0]],"attempt_2":[[0,0],[0,0]]}]}\n'
    )
    assert read_submission(path, TASKS) == submission
    assert submission["flip"][0]["attempt_1"] == NO_GRID


def test_either_attempt_counts_and_outputs_are_averaged():
    submission = build_submission(TASKS, {"two_0": [A, B], "two_1": [A, B], "flip_0": [[[9, 8]]]})
    solved = solved_outputs(submission, TASKS)
    assert solved == {"two_0": True, "two_1": False, "flip_0": True}
    with pytest.raises(UsageError, match="flip_0 has no solution; give the solutions file to score"):
        solved_outputs(submission, {"flip": Task("flip", FLIP.train, (Pair(A, None),))})


def test_attempts_for_an_unknown_output_are_refused():
    with pytest.raises(UsageError, match=r"attempts for 'two_2', which is not an output of these tasks \(1 in total\)"):
        build_submission(TASKS, {"two_2": [A]})
    with pytest.raises(UsageError, match="two_0, attempt 2: row 0, cell 0 is '10', must be an integer 0 to 9"):
        build_submission(TASKS, {"two_0": [A, [[10]]]})


def changed(change):
    submission = build_submission(TASKS, {})
    change(submission)
    return submission


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        ([], "sub: holds list, must be an object of task ids"),
        (
            changed(lambda s: s.pop("flip")),
            "sub: task flip is missing (1 in total); it must hold every task and no other",
        ),
        (changed(lambda s: s.update(x=[])), "sub: task x is unknown (1 in total); it must hold every task"),
        (changed(lambda s: s["two"].pop()), "sub: task two has 1 outputs, must be a list of 2"),
        (changed(lambda s: s.update(two=None)), "sub: task two has NoneType outputs, must be a list of 2"),
        (changed(lambda s: s["two"][1].pop("attempt_2")), "sub: two_1 must hold attempt_1 and attempt_2, and nothing"),
        (changed(lambda s: s["two"][0].update(x=A)), "sub: two_0 must hold attempt_1 and attempt_2, and nothing else"),
        (changed(lambda s: s["flip"][0].update(attempt_2=[[]])), "sub: flip_0 attempt_2: row 0 is 0 cells"),
        (changed(lambda s: s["flip"][0].update(attempt_1=None)), "sub: flip_0 attempt_1: it is a NoneType"),
    ],
)
def test_any_other_shape_is_refused(tmp_path, submission, message):
    with pytest.raises(UsageError) as caught:
        check_submission(submission, TASKS, "sub")
    assert message in str(caught.value)
    with pytest.raises(UsageError):
        write_submission(tmp_path / "submission.json", submission, TASKS)
    assert list(tmp_path.iterdir()) == []


# Programs


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("Think.\n```python\ndef solve(grid):\n    return grid\n```\nDone.", COPIES),
        ("```\ndef solve(grid):\n    return grid\n```", COPIES),
        ("```python\ndef solve(grid):\n    pass\n```\nBetter:\n```py\n" + FLIPS + "```", FLIPS),
        ("```python\n" + FLIPS + "```\n```python\nprint(solve([[1]]))\n```", FLIPS),
        ("from the examples I see a flip.\nimport re\n\n" + FLIPS, "import re\n\n" + FLIPS),
        ("```python\n" + FLIPS, FLIPS),
        (FLIPS, FLIPS),
        ("It flips the grid.", None),
        ("```python\ndef solver(grid):\n    return grid\n```", None),
    ],
)
def test_the_program_in_a_text(text, program):
    assert find_program(text) == program


def test_fitness():
    assert fitness(3, 1) == 13
    assert fitness(3, 0) == 3


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(1) as sandbox:
        yield sandbox


def test_programs_are_ranked_by_train_pairs_and_the_best_two_attempt(sandbox):
    # Right on every train pair and wrong on the test, so that only the train pairs can have ranked it.
    learns_by_heart = FLIPS.replace("return", "return grid if grid == [[8, 9]] else")
    half = "def solve(grid):\n    return [[2, 1]]\n"
    crash = "def solve(grid):\n    return grid[99]\n"
    programs = [crash, COPIES, half, learns_by_heart, FLIPS, learns_by_heart]
    ranked = run_candidates(FLIP, programs, sandbox, limits=Limits(wall_s=5, cpu_s=5))
    assert [(c.program, c.train_correct, c.votes) for c in ranked] == [
        (learns_by_heart, 3, 2),
        (FLIPS, 3, 1),
        (half, 1, 1),
        (crash, 0, 1),
        (COPIES, 0, 1),
    ]
    assert [c.reason for c in ranked[2:]] == [
        "1 of 3 train pairs; train 1: a different grid",
        "0 of 3 train pairs; train 0: line 2: IndexError: list index out of range",
        "0 of 3 train pairs; train 0: a different grid",
    ]
    assert [development_fitness(FLIP, candidate) for candidate in ranked] == [3, 13, 1, 0, 0]
    best = attempts(FLIP, ranked)
    assert best == {"flip_0": [[[8, 9]], [[9, 8]]]}
    assert solved_outputs(build_submission({"flip": FLIP}, best), {"flip": FLIP}) == {"flip_0": True}


def test_a_program_without_a_grid_for_a_test_input_leaves_its_place_to_the_next(sandbox):
    fails_on_test = (
        FLIPS + "    \nflip = solve\ndef solve(grid):\n    return flip(grid) if grid != [[8, 9]] else 'none'\n"
    )
    ranked = run_candidates(FLIP, [fails_on_test, FLIPS, COPIES], sandbox)
    assert ranked[0].outputs == (None,) and ranked[0].train_correct == 3
    assert attempts(FLIP, ranked) == {"flip_0": [[[9, 8]], [[8, 9]]]}
    assert attempts(FLIP, []) == {"flip_0": []}


def test_numpy_floats_and_masks_count_as_the_integers_they_equal(sandbox):
    floats = "import numpy as np\ndef solve(grid):\n    return np.zeros((1, 2)) + grid[0][::-1]"
    (candidate,) = run_candidates(FLIP, [floats], sandbox)
    assert candidate.train_correct == 2 and candidate.outputs == ([[9, 8]],)
    assert type(candidate.outputs[0][0][0]) is int


@pytest.mark.parametrize("bad", [[[1.5, 2.0]], [[float("inf"), 1]], [["2", 1]], [2, 1], "21", {"a": 1}])
def test_what_is_no_grid_is_never_right(bad):
    result = ProgramResult((bad,) * 4, (None,) * 4, ())
    (candidate,) = rank(FLIP, [FLIPS], [result])
    assert candidate.train_correct == 0 and candidate.outputs == (None,)


def test_fitness_needs_the_solutions():
    unknown = Task("flip", FLIP.train, (Pair([[8, 9]], None),))
    (candidate,) = rank(unknown, [FLIPS], [ProgramResult((None,) * 4, ("x",) * 4, ())])
    with pytest.raises(UsageError, match="task flip has no solution; give the solutions file for a fitness"):
        development_fitness(unknown, candidate)


@pytest.mark.realdata
def test_real_tasks(realdata, tmp_path, sandbox):
    tasks = load_tasks(realdata / "arc" / "challenges.json", realdata / "arc" / "solutions.json")
    assert len(tasks) == 60 and sum(len(task.test) for task in tasks.values()) == 64
    for task in tasks.values():
        for i, pair in enumerate(task.test):
            assert find_grids(grid_prompt(task, i))[-1] == pair.input
    known = {id_: [pair.output] for t in tasks.values() for id_, pair in zip(output_ids(t), t.test, strict=True)}
    submission = build_submission(tasks, known)
    write_submission(tmp_path / "submission.json", submission, tasks)
    assert all(solved_outputs(read_submission(tmp_path / "submission.json", tasks), tasks).values())
    # 007bbfb7: each cell that is set becomes a copy of the grid.
    fractal = "import numpy as np\ndef solve(grid):\n    g = np.array(grid)\n    return np.kron(g != 0, g)"
    (candidate,) = run_candidates(tasks["007bbfb7"], [fractal], sandbox)
    assert development_fitness(tasks["007bbfb7"], candidate) == fitness(5, 1)
