from podium.core.wording import counted, named


def test_counts_and_lists():
    assert [counted(n, "item") for n in (0, 1, 2)] == ["0 items", "1 item", "2 items"]
    assert (named("abcde"), named("abcdefg")) == ("a, b, c, d, e", "a, b, c, d, e and 2 more")
