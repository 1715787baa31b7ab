from hypothesis import given
from hypothesis import strategies as st

from trainer.data.packing import pack


def test_the_fullest_row_with_room_takes_the_next_longest() -> None:
    assert pack([3, 7, 5, 2, 2, 1], 10) == [[1, 0], [2, 3, 4, 5]]


@given(st.lists(st.integers(1, 16), max_size=60))
def test_every_example_has_one_place_and_no_row_overflows(lengths: list[int]) -> None:
    rows = pack(lengths, 16)
    assert sorted(example for row in rows for example in row) == list(range(len(lengths)))
    assert all(0 < sum(lengths[example] for example in row) <= 16 for row in rows)
    # Best fit leaves at most one row half empty.
    assert sum(sum(lengths[example] for example in row) <= 8 for row in rows) <= 1
