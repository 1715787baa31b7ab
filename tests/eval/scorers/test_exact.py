import pytest


@pytest.mark.parametrize(
    ("text", "expected", "accepted", "value", "reason"),
    [
        ("Paris", "Paris", (), 1.0, "whole text: is 'Paris'"),
        (" \nParis\t", "Paris", (), 1.0, "whole text: is 'Paris'"),
        ("Rome", "Paris", ("Rome",), 1.0, "whole text: is 'Rome'"),
        ("paris", "Paris", (), 0.0, "whole text: is not 'Paris'"),
        ("Paris.", "Paris", (), 0.0, "whole text: is not 'Paris'"),
        ("<answer>Paris</answer>", "Paris", (), 0.0, "whole text: is not 'Paris'"),
        ("1,234", "1234", (), 0.0, "whole text: is not '1234'"),
        (" ", "Paris", (), 0.0, "empty: the prediction holds no text"),
    ],
)
def test_table(judge, text, expected, accepted, value, reason):
    score = judge("exact", text, expected, accepted)
    assert (score.value, score.reason, score.extracted) == (value, reason, text.strip() or None)
    assert score.metrics == {}
