"""ARC tasks as items, both scorers, and predictions as a submission; programs really run in the sandbox."""

import pytest

from eval.arc.grids import find_grids, format_grid
from eval.arc.samples import arc_samples, one_output, submission_of, task_of
from eval.arc.submission import NO_GRID, read_submission, solved_outputs
from eval.arc.tasks import Pair, Task, load_tasks
from eval.arc_submission import write_arc_submission
from eval.scorecard import score_predictions
from eval.scorers import get_scorer
from eval.sets.evalset import load_evalset, split_of_sample, write_evalset
from podium.core.errors import UsageError
from podium.core.records import Prediction

FLIP = Task(
    "flip",
    train=(Pair([[1, 2]], [[2, 1]]), Pair([[3, 4]], [[4, 3]]), Pair([[5, 5], [6, 7]], [[5, 5], [7, 6]])),
    test=(Pair([[8, 9]], [[9, 8]]), Pair([[1, 0]], [[0, 1]])),
)
COPY = Task("copy", train=(Pair([[1]], [[1]]),), test=(Pair([[2]], [[2]]),))
TASKS = {"flip": FLIP, "copy": COPY}
FLIPS = "def solve(grid):\n    return [row[::-1] for row in grid]\n"
COPIES = "def solve(grid):\n    return grid\n"


def predictions(**texts):
    """`flip_0=["a", "b"]`: two predictions for this item."""
    return [Prediction(id=id_, sample=i, text=text) for id_, found in texts.items() for i, text in enumerate(found)]


# Items


def test_an_item_a_test_output_with_its_task():
    samples = arc_samples(TASKS, "arc_grid")
    assert [sample.id for sample in samples] == ["flip_0", "flip_1", "copy_0"]
    assert samples[1].expected_answer == "0 1"
    assert find_grids(samples[1].prompt)[-1] == [[1, 0]]
    assert [task_of(sample) for sample in samples] == [FLIP, FLIP, COPY]
    assert one_output(samples[1]) == Task("flip", FLIP.train, FLIP.test[1:])
    assert {split_of_sample(sample) for sample in samples[:2]} in ({"dev"}, {"holdout"})


def test_the_prompt_for_a_program_shows_its_own_test_input_only():
    samples = arc_samples(TASKS, "arc_program")
    assert [find_grids(sample.prompt)[6:] for sample in samples[:2]] == [[[[8, 9]]], [[[1, 0]]]]
    assert len({sample.prompt for sample in samples}) == 3


def test_difficulty_by_cells():
    def level(side):
        grid = [[0] * side] * side
        return arc_samples({"t": Task("t", COPY.train, (Pair(grid, grid),))}, "arc_grid")[0].difficulty

    assert [level(side) for side in (1, 5, 6, 10, 11, 30)] == ["easy", "easy", "medium", "medium", "hard", "hard"]


def test_an_evalset_of_tasks_keeps_its_scorer(tmp_path):
    written = write_evalset(tmp_path / "arc.jsonl", arc_samples(TASKS, "arc_program"), scorer="arc_program")
    assert written.scorer == "arc_program"
    assert load_evalset(tmp_path / "arc.jsonl") == written
    assert task_of(written.samples[0]) == FLIP


def test_a_task_without_solution_is_no_item():
    unknown = Task("flip", FLIP.train, (Pair([[8, 9]], None),))
    with pytest.raises(
        UsageError, match="task flip has no solution, and an evalset needs answers; give --solutions FI"
    ):
        arc_samples({"flip": unknown}, "arc_grid")


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({}, "item 'a' belongs to no ARC task; `podium evalset import FILE --format arc` makes items that do"),
        ({"group": "t", "task": 3}, "item 'a': meta.task: must be an object with 'train' and 'test'"),
        (
            {"group": "t", "task": {"train": [], "test": []}},
            "item 'a': meta.task, train: must be a non-empty list of pairs",
        ),
    ],
)
def test_what_is_of_no_task(sample, meta, message):
    with pytest.raises(UsageError) as raised:
        get_scorer("arc_program").check(sample("a", meta=meta))
    assert str(raised.value).startswith(message)


def test_an_item_of_another_output(sample):
    first = arc_samples(TASKS, "arc_grid")[0]
    with pytest.raises(UsageError, match="item 'flip_2' is not a test output of task flip; import the set again"):
        task_of(first.model_copy(update={"id": "flip_2"}))
    with pytest.raises(UsageError, match="item 'a': expected_answer is not a grid \\(no grid in the text\\)"):
        get_scorer("arc_grid").check(sample("a", expected_answer="four"))


# arc_grid


@pytest.mark.parametrize(
    ("texts", "value", "extracted", "reason"),
    [
        (["9 8"], 1.0, "[[[9, 8]]]", "attempt 1 is right: 1 of 1 predictions"),
        (["I see a flip.\n<answer>\n9 8\n</answer>"], 1.0, "[[[9, 8]]]", "attempt 1 is right: 1 of 1 predictions"),
        (["8 9"], 0.0, "[[[8, 9]]]", "no attempt is right: 1 of 1 predictions"),
        (["none"], 0.0, None, "no attempt is right: no grid in the text"),
        (
            ["9 8\n9"],
            0.0,
            None,
            "no attempt is right: the last grid in the text is invalid: row 1 has 1 cells and row 0 h",
        ),
        (["[[9, 80]]"], 0.0, None, "no attempt is right: the last grid in the text is invalid: row 0, cell 1 is '80'"),
        (["8 9", "9 8"], 1.0, "[[[8, 9]], [[9, 8]]]", "attempt 2 is right: 1 of 2 predictions, 1 of 2 predictions"),
        (["1", "2", "9 8", "2"], 0.0, "[[[2]], [[1]]]", "no attempt is right: 2 of 4 predictions, 1 of 4 predictions"),
        (["1", "2", "9 8", "9 8"], 1.0, "[[[9, 8]], [[1]]]", "attempt 1 is right: 2 of 4 predictions, 1 of 4 predicti"),
        (["none", "9 8"], 1.0, "[[[9, 8]]]", "attempt 1 is right: 1 of 2 predictions"),
    ],
)
def test_grids(texts, value, extracted, reason):
    sample = arc_samples(TASKS, "arc_grid")[0]
    (score,) = get_scorer("arc_grid").score_items([(sample, predictions(flip_0=texts))])
    assert (score.value, score.extracted) == (value, extracted)
    assert score.reason.startswith(reason)
    assert score.metrics == {}


def test_the_score_is_averaged_over_test_outputs():
    samples = arc_samples(TASKS, "arc_grid")
    found = predictions(flip_0=["1", "9 8"], flip_1=["ragged\n1 2\n3"])
    card = score_predictions(samples, found, "arc_grid")
    assert card.answer_correctness == 100 / 3
    assert (card.n_scored, card.n_missing, card.n_unreadable, card.n_samples) == (2, 1, 1, 2)
    assert get_scorer("arc_grid").score(samples[0], found[1]).value == 1.0


# arc_program


def test_programs_are_run_and_ranked_by_the_train_pairs_alone():
    samples = arc_samples(TASKS, "arc_program")
    learns_by_heart = FLIPS.replace("return", "return grid if grid == [[8, 9]] else")
    found = predictions(
        flip_0=[COPIES, learns_by_heart, f"Better:\n```python\n{FLIPS}```"],
        flip_1=["I cannot.", COPIES],
        copy_0=[COPIES],
    )
    card = score_predictions(samples, found, "arc_program")
    flip, other, copy = card.scores
    assert (flip.value, flip.extracted) == (1.0, "[[[8, 9]], [[9, 8]]]")
    assert flip.reason == "attempt 2 is right: 3 of 3 train pairs, then 3 of 3 train pairs"
    assert flip.metrics == {"fitness": 3.0, "train_pairs": 1.0}  # of the best: it fails on the test
    assert other.reason == "no attempt is right: 0 of 3 train pairs; train 0: a different grid"
    assert other.metrics == {"fitness": 0.0, "train_pairs": 0.0}
    assert copy.metrics == {"fitness": 11.0, "train_pairs": 1.0}
    assert card.answer_correctness == 200 / 3
    assert card.metrics["fitness"].value == pytest.approx(14 / 3)  # a mean, not points
    assert card.metrics["train_pairs"].value == pytest.approx(200 / 3)


def test_fitness_of_three_and_one_is_thirteen_and_of_three_and_none_three():
    learns_by_heart = FLIPS.replace("return", "return grid if grid == [[8, 9]] else")
    items = [(sample, predictions(x=[FLIPS])) for sample in arc_samples({"flip": FLIP}, "arc_program")]
    items[0] = (items[0][0], predictions(x=[learns_by_heart]))
    scores = get_scorer("arc_program").score_items(items)
    assert [(score.metrics["fitness"], score.value) for score in scores] == [(3.0, 0.0), (13.0, 1.0)]


@pytest.mark.parametrize(
    ("text", "extracted", "reason"),
    [
        ("It flips the grid.", None, "no attempt is right: no program in the text"),
        ("def solve(grid):\n    return 'x'", None, "no attempt is right: 0 of 3 train pairs; train 0: it is a str"),
        (
            "import os\ndef solve(grid):\n    os._exit(0)",
            None,
            "no attempt is right: 0 of 3 train pairs; train 0: exited with status 0 before it answered",
        ),
    ],
)
def test_a_program_that_gives_no_grid(text, extracted, reason):
    score = get_scorer("arc_program").score(arc_samples(TASKS, "arc_program")[0], Prediction(id="flip_0", text=text))
    assert (score.value, score.extracted) == (0.0, extracted)
    assert score.reason.startswith(reason)


def test_a_missing_prediction_is_wrong():
    score = get_scorer("arc_program").score(arc_samples(TASKS, "arc_program")[0], None)
    assert (score.missing, score.metrics) == (True, {"fitness": 0.0, "train_pairs": 0.0})


# Submission


@pytest.mark.parametrize("scorer", ["arc_grid", "arc_program"])
def test_predictions_become_a_submission(tmp_path, scorer):
    samples = arc_samples(TASKS, scorer)
    texts = {"arc_grid": ["1 2", "9 8"], "arc_program": [COPIES, FLIPS]}[scorer]
    found = predictions(flip_0=texts, copy_0=["2", COPIES], flip_1=["no idea"], other_0=["1"])
    submission = write_arc_submission(tmp_path / "submission.json", samples, found, scorer)
    assert list(submission) == ["flip", "copy"]
    assert submission["flip"][1] == {"attempt_1": NO_GRID, "attempt_2": NO_GRID}
    assert solved_outputs(submission, TASKS) == {"flip_0": True, "flip_1": False, "copy_0": True}
    assert read_submission(tmp_path / "submission.json", TASKS) == submission


def test_a_split_with_one_item_of_a_task_submits_the_task(tmp_path):
    samples = arc_samples(TASKS, "arc_grid")[:1]
    submission = write_arc_submission(tmp_path / "submission.json", samples, predictions(flip_0=["9 8"]), "arc_grid")
    assert [len(outputs) for outputs in submission.values()] == [2]


def test_other_scorers_and_items_make_no_submission(tmp_path, sample):
    for samples, scorer, message in (
        (
            arc_samples(TASKS, "arc_grid"),
            "answer",
            "scorer 'answer' makes no attempts; a submission needs arc_grid or ar",
        ),
        ([sample("a")], "arc_grid", "item 'a' belongs to no ARC task"),
    ):
        with pytest.raises(UsageError, match=message):
            write_arc_submission(tmp_path / "submission.json", samples, [], scorer)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.realdata
def test_real_tasks_survive_an_evalset(realdata, tmp_path):
    tasks = load_tasks(realdata / "arc" / "challenges.json", realdata / "arc" / "solutions.json")
    evalset = write_evalset(tmp_path / "arc.jsonl", arc_samples(tasks, "arc_grid"), scorer="arc_grid")
    assert len(evalset.samples) == 64
    right = [Prediction(id=sample.id, text=sample.expected_answer) for sample in evalset.samples]
    assert score_predictions(evalset.samples, right, evalset.scorer).primary_score == 1.0
    grids = {sample.id: [pair.output] for sample in evalset.samples for pair in one_output(sample).test}
    submission, found = submission_of(evalset.samples, grids)
    assert found == tasks and list(found) == list(tasks)
    assert all(solved_outputs(submission, tasks).values())
    assert format_grid(next(iter(grids.values()))[0]) == evalset.samples[0].expected_answer
