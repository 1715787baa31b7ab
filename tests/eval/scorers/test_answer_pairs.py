"""`answer` against a table of pairs judged by hand: no wrong answer is taken, and few right ones are missed."""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from eval.scorers import get_scorer
from podium.core.files import read_jsonl
from podium.core.records import Prediction, Sample
from tests.eval.scorers.conftest import FACTS

PAIRS = [row for _, row in read_jsonl(Path(__file__).with_name("answer_pairs.jsonl"))]
FOUND_AT_LEAST = 0.97


def judged(scorer: str) -> list[bool]:
    samples = [Sample(id=str(i), expected_answer=row["expected"], **FACTS) for i, row in enumerate(PAIRS)]
    items = [
        (sample, [Prediction(id=sample.id, text=row["prediction"])]) for sample, row in zip(samples, PAIRS, strict=True)
    ]
    return [score.value == 1 for score in get_scorer(scorer).score_items(items)]


def shown(rows: list[dict[str, str]]) -> str:
    return "\n".join(f"{row['kind']}: {row['prediction']!r} for {row['expected']!r}" for row in rows)


def test_the_table_is_large_varied_and_consistent():
    verdicts = Counter(row["verdict"] for row in PAIRS)
    assert set(verdicts) == {"right", "wrong"}
    assert len(PAIRS) >= 300 and verdicts["wrong"] >= 100
    assert len({(row["expected"], row["prediction"]) for row in PAIRS}) == len(PAIRS)
    assert all(set(row) == {"expected", "prediction", "verdict", "kind"} for row in PAIRS)


def test_no_wrong_answer_is_taken_and_right_ones_are_found():
    results = judged("answer")
    taken = [row for row, right in zip(PAIRS, results, strict=True) if right and row["verdict"] == "wrong"]
    missed = [row for row, right in zip(PAIRS, results, strict=True) if not right and row["verdict"] == "right"]
    n_right = sum(row["verdict"] == "right" for row in PAIRS)
    found = 1 - len(missed) / n_right
    print(
        f"{len(PAIRS)} pairs: {len(taken)} wrong ones taken, {found:.1%} of {n_right} right ones found\n{shown(missed)}"
    )
    assert not taken, f"taken although wrong:\n{shown(taken)}"
    assert found >= FOUND_AT_LEAST, f"missed although right:\n{shown(missed)}"


@pytest.mark.skipif(find_spec("math_verify") is None, reason="math-verify is not installed")
def test_math_takes_no_wrong_answer_either_and_finds_what_answer_finds():
    results = judged("math")
    assert [row for row, right in zip(PAIRS, results, strict=True) if right and row["verdict"] == "wrong"] == []
    assert sum(results) >= sum(judged("answer"))
