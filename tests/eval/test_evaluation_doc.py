"""docs/evaluation.md says what the code does, as far as a test can read it."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from eval.answers.compare import same_answer
from eval.answers.extract import extract
from eval.answers.normalise import normalise
from eval.answers.quantity import quantity
from eval.scorecard import Scorecard
from eval.scorers import SCORERS, get_scorer
from eval.sets.evalset import Header
from podium.core.files import read_jsonl
from podium.core.paths import shipped
from podium.core.records import Prediction, Sample

PAIRS = Path(__file__).with_name("scorers") / "answer_pairs.jsonl"
TEXT = (shipped() / "docs/evaluation.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, less its own heading."""
    below = TEXT.partition(f"{heading}\n")[2]
    lines = below[below.index("\n|") :].strip().split("\n\n")[0].split("\n")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_scorer_has_its_row_with_its_version():
    found = {}
    for first, *_ in table("## Scorers"):
        names, versions = re.findall(r"`(\w+)`", first), re.findall(r"\((?:version )?(\d+)\)", first)
        found |= dict(zip(names, versions, strict=True))
    assert found == {name: scorer.version for name, scorer in SCORERS.items()}


def test_every_declared_metric_is_explained():
    for scorer in SCORERS.values():
        for metric in scorer.metrics:
            assert f"`{metric}`" in TEXT, metric


def test_the_scorecard_table_has_every_field():
    named = {name for first, *_ in table("## The scorecard") for name in re.findall(r"`(\w+)`", first)}
    assert named == set(Scorecard.model_fields) - {
        "scorecard_version",
        "seed",
        "unknown_ids",
        "duplicate_ids",
        "malformed",
    }


def test_the_rules_are_those_of_extract():
    texts = ("<answer>1</answer>", "#### 1", r"\boxed{1}", "answer: 1", "1")
    assert [row[0] for row in table("## From text to answer")] == [extract(text).rule for text in texts]


def test_the_lines_shown_are_read():
    blocks = [json.loads(line) for line in re.findall(r"```json\n(.*?)\n```", TEXT)]
    Sample.model_validate(blocks[0])
    assert Header.model_validate(blocks[1]).scorer == "numeric:0.01"


@pytest.mark.parametrize(
    "answers",
    [
        ("1/2", "0.5", ".5", "½"),
        ("1 1/2", "1½", "1.5"),
        ("3e8", "3 × 10^8", "300000000"),
        ("2 million", "2000000"),
        ("-3", "negative 3", "minus 3"),
        ("5 km", "5km", "5 kilometers"),
    ],
)
def test_what_the_table_calls_the_same_is_one_quantity(answers):
    assert all(f"`{answer}`" in TEXT for answer in answers)
    assert len({quantity(answer) for answer in answers}) == 1


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (r"\frac12", "1/2"),
        (r"\sqrt2", "sqrt(2)"),
        ("√2", "sqrt(2)"),
        ("5:30 p.m.", "5:30 pm"),
        ("5:30PM", "5:30 pm"),
        (r"\frac{1}{2}", "1/2"),
        ("x²", "x^2"),
        ("1½", "1 1/2"),
        ("+007.50", "7.5"),
        ("-0", "0"),
    ],
)
def test_what_normalising_gives(written, normal):
    assert normalise(written) == normal and normal in TEXT


def unquoted(cell: str) -> str:
    return cell.removeprefix("`").removesuffix("`").replace("\\n", "\n")


def table_of(first_cell: str) -> list[list[str]]:
    """The rows of the table whose heading starts with this cell."""
    below = TEXT.partition(f"\n| {first_cell} |")[2].split("\n\n")[0]
    return [[unquoted(cell.strip()) for cell in line.strip("|").split("|")] for line in below.split("\n")[2:]]


def test_the_examples_of_extraction():
    rows = table_of("text")
    assert len(rows) == 10
    assert [[text, *vars(extract(text)).values()] for text, *_ in rows] == rows


def test_the_examples_of_comparison():
    rows = table_of("extracted answer")
    assert len(rows) == 18
    verdicts = ["right" if same_answer(found, expected) else "wrong" for found, expected, _ in rows]
    assert verdicts == [verdict for *_, verdict in rows]


@pytest.mark.skipif(find_spec("math_verify") is None, reason="math-verify is not installed")
def test_the_examples_of_expressions():
    rows = table_of("expected | right | wrong")
    assert len(rows) == 8
    facts = {"prompt": "p", "section": "core", "category": "c", "difficulty": "easy"}
    items = [
        (Sample(id=f"{i} {text}", expected_answer=expected, **facts), [Prediction(id=f"{i} {text}", text=text)])
        for i, (expected, *texts) in enumerate(rows)
        for text in texts
    ]
    assert [score.value for score in get_scorer("math").score_items(items)] == [1.0, 0.0] * len(rows)


def test_the_table_of_pairs_has_the_size_that_is_stated():
    rows = [row for _, row in read_jsonl(PAIRS)]
    n_right = sum(row["verdict"] == "right" for row in rows)
    assert (
        f"holds {len(rows)} answers and predictions judged by hand, {n_right} right and {len(rows) - n_right}\nwrong"
        in TEXT
    )
