import pytest

from eval.leaderboard import Entry, boards, mixed_versions, read_standing
from podium.core.errors import UsageError


def entry(label, score, *, split="dev", version="2", sha256="a" * 64, **values):
    """A row from the values of a scorecard, of which a leaderboard takes some."""
    card = {
        "evalset": {"name": "set", "sha256": sha256, "split": split, "max_items": None},
        "scorer": "answer",
        "scorer_version": version,
        "answer_correctness": score,
        "interval": [score - 1, score + 1],
        "n_items": 10,
        "n_missing": 0,
        "scores": [{"id": "a"}],
        **values,
    }
    return Entry(label, "trial", read_standing(card, "card"))


def test_best_first_and_equals_share_a_rank():
    (board,) = boards([entry("a", 50), entry("b", 70), entry("c", 50), entry("d", 20)])
    assert [(row.rank, row.label) for row in board.rows] == [(1, "b"), (2, "a"), (2, "c"), (4, "d")]
    assert board.rows[0].interval == (69, 71)
    assert (board.evalset.name, board.n_items, board.scorer, board.scorer_version) == ("set", 10, "answer", "2")


def test_what_does_not_compare_has_its_own_board():
    found = boards(
        [
            *(entry("a", 1), entry("b", 2), entry("c", 3, split="holdout"), entry("d", 4, version="1")),
            entry("e", 5, sha256="b" * 64),
        ]
    )
    assert [[row.label for row in board.rows] for board in found] == [["b", "a"], ["c"], ["d"], ["e"]]
    assert mixed_versions(found) == ["set (dev) is scored by answer in versions 1, 2, which are not comparable"]
    assert mixed_versions(found[:2]) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "card: not a scorecard on an evalset; score predictions with `podium score --out`"),
        ({"evalset": None}, "card: not a scorecard on an evalset; score predictions with `podium score --out`"),
        ({"evalset": {"name": "set", "sha256": "a", "split": "dev"}}, "card: scorer is missing; add it"),
    ],
)
def test_what_is_no_scorecard(values, message):
    with pytest.raises(UsageError) as raised:
        read_standing(values, "card")
    assert str(raised.value) == message
