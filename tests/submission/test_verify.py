import pytest

from podium.core.errors import UsageError
from podium.submission.verify import differences, refuse_gaps, without_nulls


@pytest.mark.parametrize(
    "gap",
    [None, "", "  ", "TODO", "tbd", "N/A", "unknown", "<model id>", "${NAME}", "{name}", float("nan"), float("inf")],
)
def test_gaps_are_named_with_their_place(gap):
    with pytest.raises(UsageError) as caught:
        refuse_gaps({"fine": 0, "scores": [1.0, {"dev": gap}]}, "eval_summary.json")
    assert str(caught.value) == (
        f"eval_summary.json.scores[1].dev={gap!r}: evidence must hold no null, placeholder or NaN; "
        "supply the real value"
    )


def test_real_values_are_no_gaps():
    refuse_gaps({"remat": "none", "n": 0, "ok": False, "loss": 0.0, "prompt": "3 < 4 and 5 > 4", "ids": []}, "x")


def test_a_key_that_is_null_and_one_that_is_absent_are_the_same():
    values = {"a": None, "b": {"c": None, "d": [{"e": None, "f": 0}]}}
    assert without_nulls(values) == {"b": {"d": [{"f": 0}]}}


def test_differences_name_both_sides_and_what_one_side_lacks():
    found = differences({"same": "1", "changed": "2" * 64, "gone": "3"}, {"same": "1", "changed": "4" * 64, "new": "5"})
    assert [str(difference) for difference in found] == [
        "changed differs (expected 222222222222, found 444444444444)",
        "gone differs (expected 3, found nothing)",
        "new differs (expected nothing, found 5)",
    ]
