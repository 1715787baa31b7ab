from eval.arc.samples import arc_samples
from eval.arc.tasks import Pair, Task
from eval.distillation import correct_predictions
from eval.scorers import get_scorer
from podium.core.records import Prediction

FLIP = Task("flip", (Pair([[1, 2]], [[2, 1]]), Pair([[3, 4]], [[4, 3]])), (Pair([[8, 9]], [[9, 8]]),))
FLIPS = "def solve(grid):\n    return [row[::-1] for row in grid]\n"
KNOWS_THE_ANSWER = "def solve(grid):\n    return [[9, 8]]\n"


def predictions(id_, *texts):
    return [Prediction(id=id_, sample=i, text=text) for i, text in enumerate(texts)]


def test_right_answers_once_each_in_the_order_of_the_items(sample):
    samples = [sample("a"), sample("b")]
    found = predictions("b", "1") + predictions("a", "2", "one\n1", "one\n1 ", "1.0") + predictions("zz", "1")
    right = correct_predictions(samples, found, get_scorer("answer"))
    assert [(one.sample.id, one.text, one.program) for one in right] == [
        ("a", "one\n1", None),
        ("a", "1.0", None),
        ("b", "1", None),
    ]
    assert all(one.score.value == 1 for one in right)
    assert [one.text for one in correct_predictions(samples, found, get_scorer("answer"), per_item=1)] == [
        "one\n1",
        "1",
    ]


def test_programs_that_found_the_rule():
    samples = arc_samples({"flip": FLIP}, "arc_program")
    texts = (KNOWS_THE_ANSWER, "none", f"So:\n```python\n{FLIPS}```", FLIPS)
    (right,) = correct_predictions(samples, predictions("flip_0", *texts), get_scorer("arc_program"))
    assert (right.program, right.text) == (FLIPS, texts[2])
    assert right.score.metrics == {"fitness": 12.0, "train_pairs": 1.0}


def test_nothing_right(sample):
    assert correct_predictions([sample("a")], predictions("a", "2"), get_scorer("answer")) == []
