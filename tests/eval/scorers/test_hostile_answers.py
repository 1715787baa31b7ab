"""Whatever a model, or a program that it wrote, says is a score with a reason, in a time that its length explains."""

import pytest

from eval.arc.programs import find_program
from eval.arc.samples import arc_samples
from eval.arc.tasks import Pair, Task
from eval.arc_submission import write_arc_submission
from eval.scorecard import score_predictions
from eval.scorers import SCORERS, get_scorer
from eval.scorers.math import _to_compare
from eval.sets.importers import gold
from podium.core.errors import UsageError
from podium.core.files import to_line
from podium.core.gold import worked_answer
from podium.core.records import Prediction, Sample
from podium.core.redaction import CONTROL
from tests.limits import at_most

LENGTH = 100_000  # characters
LIMIT_S = 3.0

# Each is the body of solve(grid), or with its own `def`, the whole program.
PROGRAMS = {
    "half a character": r"raise ValueError('\ud800')",
    "a window title": r"raise ValueError('\x1b]0;pwned\x07\x9b31m \u202e')",
    "many lines": r"raise ValueError('a\nb\r\x85\u2028')",
    "a long message": "raise ValueError('x' * 10**6)",
    "no message": "raise ValueError(lambda: 0)",
    "a message that fails": "class E(Exception):\n        def __str__(self): raise E\n    raise E",
    "a message that is no text": "class E(Exception):\n        def __str__(self): return 1\n    raise E",
    "a name that ends lines": r"raise type('E\n\x1b[2J\ud800', (Exception,), {})('x')",
    "a group of errors": "raise ExceptionGroup('a', [ValueError(i) for i in range(9)])",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "an endless chain": "a = ValueError(); a.__cause__ = a; raise a",
    "nested 90 deep": "x = []\n    for _ in range(90): x = [x]\n    return x",
    "nested 980 deep": "x = []\n    for _ in range(980): x = [x]\n    return x",
    "nested without end": "x = []\n    for _ in range(10**5): x = [x]\n    return x",
    "mappings 980 deep": "x = 1\n    for _ in range(980): x = {'a': x}\n    return x",
    "a huge integer": "return [[10**4000]]",
    "an integer that cannot be written": "return [[10**5000]]",
    "a huge float": "return [[1e308 * 10]]",
    "not a number": "return [[float('nan')]]",
    "a fraction": "return [[2.5]]",
    "half a character as an answer": r"return [['\ud800']]",
    "control characters as an answer": r"return '\x00\x1b[2J'",
    "a key twice": "return {1: 1, '1': 2}",
    "keys of all kinds": "return {None: 1, True: 2, 1.5: 3}",
    "an array of objects": "import numpy as np\n    return np.array([object()])",
    "an array of many axes": "import numpy as np\n    return np.zeros((1,) * 30)",
    "an answer that fails": "class A(list):\n        def __iter__(self): raise KeyError\n    return A([1])",
    "tolist that fails": "class A:\n        def tolist(self): raise KeyError('\\ud800')\n    return A()",
    "tolist without end": "class A:\n        def tolist(self): return self\n    return A()",
    "json replaced": "import json\n    json.dumps = lambda *a, **k: '\\x1b[2J\\ud800'\n    return 1",
    "a forged reply": "import os\n    os.write(3, b'{\"output\": [[2, 1]]}\\n' * 9)\n    os._exit(0)",
    "a forged reply, nested": "import os\n    os.write(3, b'{\"output\": ' + b'[' * 990 + b']' * 990 + b'}\\n')",
    "a forged error": 'import os\n    os.write(3, b\'{"error": {"a": [1, "\\\\ud800\\\\u001b"]}}\\n\')',
    "a forged failure": 'import os\n    os.write(3, b\'{"failed": "\\\\ud800"}\\n\')',
    "a forged number": "import os\n    os.write(3, b'{\"output\": [[1e999999]]}\\n')",
    "a forged integer": "import os\n    os.write(3, b'{\"output\": [[' + b'9' * 9000 + b']]}\\n')",
    "stdout closed": "import sys\n    sys.stdout.close(); print('x')",
    "a generator": "yield 1",
    "NUL": "return '\x00'",
    "nested source": "return " + "(" * 3000 + ")" * 3000,
    "a long line": "return " + "-" * 20_000 + "1",
    "an integer in the source": "return " + "9" * 9000,
    "not Python": "\ufeff\u202e return",
}
TASK = Task("t", (Pair([[1, 2]], [[2, 1]]),), (Pair([[3, 4]], [[4, 3]]),))
FLIPS = "def solve(grid):\n    return [row[::-1] for row in grid]\n"


def test_no_program_ends_the_scoring_of_a_file_or_of_a_submission(tmp_path):
    tasks = {name: Task(f"t{i}", TASK.train, TASK.test) for i, name in enumerate([*PROGRAMS, "right"])}
    samples = arc_samples({task.id: task for task in tasks.values()}, "arc_program")
    programs = [*(f"def solve(grid):\n    {body}\n" for body in PROGRAMS.values()), FLIPS]
    predictions = [Prediction(id=s.id, text=f"```python\n{p}```") for s, p in zip(samples, programs, strict=True)]
    card = score_predictions(samples, predictions, "arc_program")
    assert [score.value for score in card.scores] == [0.0] * len(PROGRAMS) + [1.0]
    for name, score in zip(tasks, card.scores, strict=True):
        assert 0 < len(score.reason) < 500 and not CONTROL.search(score.reason) and "\n" not in score.reason, name
    to_line(card.model_dump(mode="json")).encode()
    submission = write_arc_submission(tmp_path / "submission.json", samples, predictions, "arc_program")
    assert submission[f"t{len(PROGRAMS)}"] == [{"attempt_1": [[4, 3]], "attempt_2": [[4, 3]]}]


# Parts that one of the patterns or loops of the extraction begins with, repeated; `1` and `,` beside the others.
PARTS = """
    1 1, 1,000 1.1 0. ( [ { } [[ {{ \\ \\frac \\frac{ \\frac{1}{ \\boxed{ \\text{ \\sqrt{ $ $1$ ^{ √(
    < <answer> <think> </think> <b <|im_end|>
    #### answer answer: answer":" "answer":[ 'answer':' wait, A A, B_or_ 1_and_2_ million_ = 1= 1+ x= % km 1/ 1e5
    ``` ```python_def_solve(
    [1], [[1],[1] 1|2| *** A. Mr. <<1>> 5_(a) {1 \\( \\[ \\text{or} not_ half_of_ the_answer_to_ answer_is_ 1_(
"""
WHITE = (
    " ",
    "\n",
    "\t",
    "\u00a0",
    "1\n",
    "\n\n1",
    "#### 1\n",
    "answer:\n",
    "```python\ndef solve(\n",
    "\x00",
    "\x1b[",
    "\u202e",
    "½",
    "²",
)
QUICK = ("1", "1,", "{", "\\frac{", "answer is ", "[[1],")


def texts(part: str):
    body = part * (LENGTH // len(part))
    return (
        body,
        f"{body} x",
        f"The answer is {body}",
        f"<answer>{body}</answer>",
        f"\\boxed{{{body}}}",
        f"{body}\n#### 1",
    )


def judge_all(scorer: str, part: str) -> None:
    right = "A" if scorer == "choice" else "72"
    facts = {"prompt": "p", "section": "core", "category": "c", "difficulty": "easy"}
    sample = Sample(id="a", expected_answer=right, **facts)
    if scorer.startswith("arc"):
        (sample,) = arc_samples({"t": TASK}, scorer)
    for text in texts(part):
        with at_most(LIMIT_S):
            score = get_scorer(scorer).score_items([(sample, [Prediction(id=sample.id, text=text)])])[0]
        assert score.reason


@pytest.mark.parametrize("part", QUICK)
def test_a_long_answer_takes_no_longer_than_its_length_explains(part):
    judge_all("answer", part)


@pytest.mark.slow
@pytest.mark.parametrize("scorer", [name for name in SCORERS if name not in ("math", "arc_program")])
def test_no_long_answer_takes_long(scorer):
    for part in (*(part.replace("_", " ") for part in PARTS.split()), *WHITE):
        judge_all(scorer, part)


@pytest.mark.slow
def test_no_long_text_takes_long_to_import_or_to_compare():
    for part in (*(part.replace("_", " ") for part in PARTS.split()), *WHITE):
        for text in texts(part):
            with at_most(LIMIT_S):
                find_program(text)
                _to_compare(text, "72")
                _to_compare("72", text)
            for read in (gold, worked_answer):
                with at_most(LIMIT_S):
                    try:
                        read(text)
                    except ValueError:
                        continue


@pytest.mark.parametrize("spec", ["numeric:1e-99999999", "numeric:1e99999999", f"format:{'9' * 5000}", "numeric:nan"])
def test_no_option_of_a_scorer_takes_long(spec):
    with at_most(LIMIT_S):
        try:
            get_scorer(spec)
        except UsageError as error:
            assert len(str(error)) <= 500
