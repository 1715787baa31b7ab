import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from eval.compare import Entry, compare, verdict
from eval.compare_page import comparison_page, p_text
from eval.scorecard import score_predictions
from eval.sets.evalset import load_evalset
from podium.core.errors import UsageError
from podium.core.records import Prediction

ROWS = [
    {"id": "a", "section": "x", "category": "c"},
    {"id": "b", "section": "x", "category": "d"},
    {"id": "c", "section": "y", "category": "c", "difficulty": "hard"},
    {"id": "d", "section": "y", "category": "d", "difficulty": "hard", "prompt": "<script>alert(1)</script> & more"},
]


@pytest.fixture
def evalset(evalset_file):
    return load_evalset(evalset_file(*ROWS))


def entry(evalset, label, scorer="answer", **texts):
    """A run that predicted these texts; 1 is right."""
    predictions = [Prediction(id=id_, text=text) for id_, text in texts.items()]
    return Entry(label, score_predictions(evalset.samples, predictions, scorer), texts)


@pytest.fixture
def comparison(evalset):
    base = entry(evalset, "base", a="1", b="2", c="1", d="3")
    other = entry(evalset, "other", a="1", b="1", c="2", d="<b>4</b>")
    third = entry(evalset, "third", a="1", b="1", c="1")
    return compare(evalset, evalset.samples, [base, other, third])


def test_items_and_verdicts(comparison):
    assert [item.verdicts for item in comparison.items] == [
        ("both right", "both right"),
        ("fixed", "fixed"),
        ("broken", "both right"),
        ("both wrong", "both wrong"),
    ]
    last = comparison.items[3]
    assert (last.id, last.expected, last.difficulty) == ("d", "1", "hard")
    assert [outcome.text for outcome in last.outcomes] == ["3", "<b>4</b>", None]
    assert last.outcomes[2].reason == "missing: no prediction for this item"


def test_runs_and_pairings(comparison, evalset):
    assert [(run.label, run.answer_correctness, run.n_missing) for run in comparison.runs] == [
        ("base", 50.0, 0),
        ("other", 50.0, 0),
        ("third", 75.0, 1),
    ]
    assert (comparison.evalset, comparison.evalset_sha256, comparison.part) == ("set", evalset.sha256, "all")
    assert (comparison.scorer, comparison.scorer_version, comparison.n_items) == ("answer", "3", 4)
    first, second = comparison.pairings
    assert (first.base, first.other, second.other) == ("base", "other", "third")
    overall = first.overall
    assert (overall.fixed, overall.broken, overall.both_right, overall.both_wrong) == (1, 1, 1, 1)
    assert (overall.points, overall.p_value) == (0.0, 1.0)
    assert second.overall.points == 25.0
    assert {name: (found.n_items, found.points) for name, found in first.sections.items()} == {
        "x": (2, 50.0),
        "y": (2, -50.0),
    }
    assert {name: found.points for name, found in first.categories.items()} == {"c": -50.0, "d": 50.0}
    assert {name: found.n_items for name, found in first.difficulties.items()} == {"easy": 2, "hard": 2}


def test_a_comparison_survives_json(comparison):
    assert type(comparison).model_validate_json(json.dumps(comparison.model_dump(mode="json"))) == comparison


@pytest.mark.parametrize(
    ("base", "other", "found"),
    [(1, 1, "both right"), (0, 0, "both wrong"), (0.5, 0.5, "both wrong"), (0.5, 0.75, "fixed"), (1, 0.5, "broken")],
)
def test_verdicts(base, other, found):
    assert verdict(base, other) == found


def test_the_interval_is_that_of_resampling_items_in_pairs(evalset_file):
    evalset = load_evalset(evalset_file(*({"id": f"i{n}"} for n in range(120))))
    right = {"base": range(0, 60), "other": range(20, 90)}
    entries = [
        entry(evalset, label, **{f"i{n}": "1" if n in found else "2" for n in range(120)})
        for label, found in right.items()
    ]
    found = compare(evalset, evalset.samples, entries, seed=3).pairings[0].overall
    assert (found.fixed, found.broken) == (30, 20)
    values = np.array([[n in numbers for n in range(120)] for numbers in right.values()], float)  # (runs, items)
    draws = np.random.default_rng(0).integers(0, 120, size=(10_000, 120))
    differences = 100 * (values[1][draws] - values[0][draws]).mean(axis=1)
    assert found.interval == pytest.approx(np.quantile(differences, (0.025, 0.975)), abs=1.0)
    assert compare(evalset, evalset.samples, entries, seed=3).pairings[0].overall == found


def test_what_does_not_compare_is_refused(evalset):
    one, two = entry(evalset, "one", a="1"), entry(evalset, "two", a="1")
    exact = entry(evalset, "exact", scorer="exact", a="1")
    short = Entry("short", score_predictions(evalset.samples[:2], []), {})
    for entries, message in (
        ([one], "1 run to compare, must be two or more"),
        ([one, two, one], "one is given twice; compare different runs"),
        ([one, exact], "the runs are scored by answer version 3 and exact version 1, which are not comparable"),
        ([one, short], "short is not scored on the items to compare; score all runs on the same"),
    ):
        with pytest.raises(UsageError, match=message):
            compare(evalset, evalset.samples, entries)


def test_the_name_of_a_part(evalset):
    assert evalset.part_name(evalset.samples) == "all"
    assert evalset.part_name(evalset.split("dev")) == "dev"
    assert evalset.part_name(evalset.split("holdout")) == "holdout"
    assert evalset.part_name(evalset.samples[:3]) == "part"


class Page(HTMLParser):
    """What a browser would take the page for."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_needs_nothing_else_and_trusts_no_text(comparison):
    text = comparison_page(comparison)
    page = Page(text)
    assert page.links == [] and "http" not in re.sub(r"<!--.*?-->|http-equiv", "", text)
    assert "default-src 'none'" in text
    assert page.tags.count("script") == 1 and "b" not in page.tags  # its own; those of the data are text
    words = " ".join(page.words)
    assert "<script>alert(1)</script> & more" in words and "<b>4</b>" in words
    assert "other, third against base" in words
    assert "4 items of set (all, sha256" in words and "scored by answer version 3" in words
    assert page.tags.count("svg") == 2 * 7  # overall, two sections, categories and difficulties
    assert text.count("data-verdicts=") == 4
    assert re.search(r'value="fixed" checked> fixed \(1\)', text)
    assert "$" not in words


@pytest.mark.parametrize(("p", "text"), [(1.0, "1.0000"), (0.05678, "0.0567"), (0.0001, "0.0001"), (1e-9, "< 0.0001")])
def test_small_p_values_are_not_nothing(p, text):
    assert p_text(p) == text
