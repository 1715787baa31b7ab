import pytest

from podium.core.duration import format_duration, parse_duration
from podium.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("1h30m", 5400), ("45s", 45), ("600", 600), ("1.5h", 5400), ("2m30", 150), (" 10M ", 600)],
)
def test_what_people_write(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "soon", "-5m", "30m1h", "5 minutes", "nan", "1e3", "infinity"])
def test_what_is_no_duration_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(UsageError, match=r"must be positive and written like 30m, 1h30m, 45s or 600"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.23, "4.2 s"), (185, "3m 05s"), (3725, "1h 02m"), (59.99, "60.0 s"), (0.0123, "12.3 ms"), (0, "0.0 s")],
)
def test_format(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
