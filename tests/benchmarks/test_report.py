import json

import pytest

from benchmarks.report import Report, meets


@pytest.fixture
def report():
    report = Report("demo")
    report.figure("trials", 20)
    report.goal("a over b", 4.2, ">= 4", "times")
    report.goal("start-up", 0.3, "< 0.25", "s")
    report.goal("not measured", None, "< 1")
    return report


def test_json_has_what_value_goal_met(report, capsys):
    report.print(as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed["figures"] == [{"what": "trials", "value": 20, "unit": ""}]
    assert printed["reach"] == [
        {"what": "a over b", "value": 4.2, "goal": ">= 4 times", "met": True},
        {"what": "start-up", "value": 0.3, "goal": "< 0.25 s", "met": False},
        {"what": "not measured", "value": None, "goal": "< 1", "met": False},
    ]


def test_the_table_says_what_was_met(report, capsys):
    report.print(as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "benchmark demo"
    assert [line.split("  ")[0] for line in lines[2:]] == ["met", "NOT MET", "NOT MET"]


@pytest.mark.parametrize(
    ("value", "goal", "met"), [(1, "== 1", True), (2, "> 2", False), (2, "<= 2", True), (-1, "< 0", True)]
)
def test_goals(value, goal, met):
    assert meets(value, goal) is met


def test_an_invalid_goal():
    with pytest.raises(ValueError, match="goal 'fast': must be a comparison sign and a number"):
        meets(1, "fast")
