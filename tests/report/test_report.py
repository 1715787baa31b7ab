"""A report says what happened, from the files, and is a page that anyone can read."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from podium.core.paths import submission_dir
from podium.core.states import State
from podium.report.facts import collect
from podium.report.page import report_page
from podium.report.svg import inline
from podium.submission.kaggle.exported import EXPORT
from podium.submission.packaging.package import package
from tests.submission.small import write_study

VOID = {"meta", "br", "img", "link", "hr"}


class Checker(HTMLParser):
    """Unbalanced tags, headings in order, ids that are there once, pictures with a text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.unlabelled = 0

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.unlabelled += tag == "svg" and not values.get("aria-label")
        self.headings += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def checked():
    def check(text: str) -> str:
        checker = Checker()
        checker.feed(text)
        assert checker.open == []
        assert checker.headings[0] == 1 and all(
            b - a <= 1 for a, b in zip(checker.headings, checker.headings[1:], strict=False)
        )
        assert len(checker.ids) == len(set(checker.ids))
        assert checker.unlabelled == 0
        assert not re.search(r'(src|href)="(?!#|data:)', re.sub(r'xmlns(:\w+)?="[^"]*"', "", text))
        return re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)

    return check


def test_what_won_by_how_much_and_what_to_do(home, checked):
    study = write_study(
        home, (State.COMPLETE, 10.0), (State.COMPLETE, 20.0), (State.DIVERGED, None), (State.COMPLETE, 15.0)
    )
    text = checked(report_page(collect(study)))
    assert "<strong>Trial 1</strong> won with <strong>20.00</strong>" in text
    assert f"podium promote {study} --as NAME" in text
    assert "The gate has not been asked" in text
    assert "loss exploded in trial 2" in text
    assert "Not compared: the base config was not a trial of this study." in text
    assert "3 complete, 1 diverged" in text


@pytest.mark.parametrize("trials", [(), [(State.DIVERGED, None)]])
def test_a_study_without_a_winner(home, checked, trials):
    text = checked(report_page(collect(write_study(home, *trials))))
    assert "No trial is complete, so nothing has won." in text
    assert "podium sweep --resume" in text


def test_what_strangers_wrote_is_escaped(home, checked, monkeypatch):
    study = write_study(home, (State.COMPLETE, 10.0))
    report = collect(study)
    evil = "<script>alert(1)</script>"
    monkeypatch.setattr(type(report), "failures", property(lambda _: [("failed", evil, [0])]))
    text = checked(report_page(report))
    assert evil not in text and "&lt;script&gt;" in text


def test_a_submission_is_shown_with_its_verify_line(done_home, checked):
    write_study(done_home, (State.COMPLETE, 10.0))
    text = checked(report_page(collect("small-001")))
    assert "podium package done" in text
    assert re.search(r"verifies: \d+ checks", text)
    made = package("done").path
    assert f"podium verify submission_runs/packages/{made.name}" in report_page(collect("small-001"))
    run = collect("small-001").runs[-1]
    waiting = replace(collect("small-001"), runs=(replace(run, state="stopped"),))
    assert waiting.next_command == "podium submit done --resume"
    submission_dir("done").joinpath(EXPORT).write_text("{}")
    assert waiting.next_command == "podium kaggle status done"


def test_pictures_take_the_colours_of_the_page():
    svg = (
        b'<?xml version="1.0"?><svg width="10pt" height="5pt" viewBox="0 0 1 1"><path id="a" style="fill: #E5E5E5"/>'
        b'<use xlink:href="#a" clip-path="url(#a)"/></svg>'
    )
    found = inline(svg, "plot", "A text")
    assert found.startswith('<svg role="img" aria-label="A text"')
    assert 'id="plot-a"' in found and 'href="#plot-a"' in found and "url(#plot-a)" in found
    assert "var(--plot)" in found and "width=" not in found
