"""`answer` against a table of pairs judged by hand: no wrong answer is taken, and few right ones are missed."""

from collections import Counter
from pathlib import Path

from eval.scorers import get_scorer
from podium.core.files import read_jsonl
from podium.core.records import Prediction, Sample
from tests.eval.scorers.conftest import FACTS

PAIRS = [row for _, row in read_jsonl(Path(__file__).with_name("answer_pairs.jsonl"))]
FOUND_AT_LEAST = 0.97


def judged(scorer: str) -> list[bool]:
    judge = get_scorer(scorer)
    return [
        judge.score(
            Sample(id="a", expected_answer=row["expected"], **FACTS), Prediction(id="a", text=row["prediction"])
        ).value
        == 1
        for row in PAIRS
    ]


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
