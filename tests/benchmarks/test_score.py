"""The score benchmark without the harness: what it measures, and that it reports what it did not measure."""

import json
import sys

import pytest

from benchmarks import score
from eval.answers.extract import extract


@pytest.fixture
def report(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["score", "--items", "50", "--json"])
    monkeypatch.delenv("PODIUM_HARNESS", raising=False)
    monkeypatch.delenv("PODIUM_REALDATA", raising=False)
    score.main()
    return json.loads(capsys.readouterr().out)


def test_without_a_harness_nothing_is_made_up(report):
    assert [figure["what"].split(":")[0] for figure in report["figures"]] == ["podium", "agreement with the harness"]
    assert report["figures"][1]["value"].startswith("not measured")
    assert {goal["what"]: goal["value"] is None for goal in report["reach"]} == {
        "50 predictions scored": False,
        "podium over lm_eval": True,
    }


@pytest.mark.parametrize(("found", "text"), [("$1,234.", "1234"), ("16.00", "16.00"), ("5", "5")])
def test_what_the_harness_compares(found, text):
    assert score.cleaned(found) == text


def test_disagreements_are_listed():
    class Harness:
        """In place of the real one, which the tests' environment does not have: its answers are given."""

        def score(self, texts, expected, wanted):  # noqa: ARG002
            return {"found": {"flexible-extract": ["16.00", "3", "7"]}}

    from benchmarks.report import Report

    report = Report("score")
    rows = [("so $16.00", "16"), ("so it is 4 at 3", "4"), ("#### 7", "7")]
    score.agreement(report, Harness(), "texts", rows, extract)
    values = {figure["what"]: figure["value"] for figure in report.figures}
    assert values["GSM8K texts: right by lm_eval"] == 1
    assert any(what.startswith("different number: ...so it is 4 at 3") for what in values)


def test_every_scorer_is_held_against_the_pairs_judged_by_hand(monkeypatch):
    class Harness:
        def score(self, texts, expected, wanted):  # noqa: ARG002
            return {"right": {"strict-match": [0.0] * len(texts), "flexible-extract": [1.0] * len(texts)}}

    from benchmarks.report import Report

    monkeypatch.setattr(score, "SCORERS_COMPARED", ["answer"])
    report = Report("score")
    score.judged(report, Harness())
    values = {figure["what"]: figure["value"] for figure in report.figures}
    assert values["602 judged pairs: answer"] == "0 wrong ones taken, 7 of 307 right ones missed"
    assert values["602 judged pairs: lm_eval strict-match"] == "0 wrong ones taken, 307 of 307 right ones missed"
    assert values["602 judged pairs: lm_eval flexible-extract"] == "295 wrong ones taken, 0 of 307 right ones missed"
    assert values["letter: 'B or C' for 'B', wrong"] == "answer, lm_eval strict-match"
