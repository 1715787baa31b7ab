"""The notebook of a lock in a pretend Kaggle: what it hands in, and how it ends."""

import json
from dataclasses import replace

import pytest

from podium.core.files import write_jsonl
from podium.core.paths import submission_dir
from podium.submission.kaggle import export as exporting
from podium.submission.lock import write_lock
from podium.submission.rehearsal import rehearse as rehearsing
from podium.submission.rehearsal.outcome import Limits, Verdict
from podium.submission.rehearsal.rehearse import Setting, rehearse
from podium.submission.verification.folder import verify_folder
from tests.submission import small
from tests.submission.kaggle.conftest import CHOICES
from tests.submission.small import tree

SETTING = Setting(CHOICES, Limits(time_s=600))


def items(path, n, first=0):
    write_jsonl(
        path, [{"id": f"test-{number}", "prompt": f"{number} and {number}?"} for number in range(first, first + n)]
    )
    return path


@pytest.fixture
def lock(data_home):
    write_lock(small.promotion(), "one")
    return data_home


def with_cell(monkeypatch, before, code):
    """The notebook with a cell more, before the cell that begins so."""
    original = exporting.notebook

    def changed(*arguments):
        values = json.loads(original(*arguments))
        place = next(n for n, cell in enumerate(values["cells"]) if cell["source"].startswith(before))
        extra = {**values["cells"][place], "source": code, "id": "extra"}
        values["cells"].insert(place, extra)
        return json.dumps(values)

    monkeypatch.setattr(exporting, "notebook", changed)


def test_a_rehearsal_claims_nothing_and_leaves_evidence(lock):
    before = tree(submission_dir("one"))
    (outcome,) = rehearse("one", SETTING)
    assert (outcome.verdict, outcome.line) == (Verdict.SUCCEEDED, "every cell ran")
    assert tree(submission_dir("one")) == before
    assert outcome.evidence is not None and (outcome.folder / "executed.ipynb").is_file()
    assert verify_folder(outcome.folder / "one").problems == []
    assert lock.exists()


@pytest.mark.slow
def test_the_hidden_test_file_takes_the_place_of_the_other(lock, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tests")
    test, hidden = items(folder / "test.jsonl", 3), items(folder / "hidden.jsonl", 20, first=100)
    setting = replace(SETTING, choices=replace(CHOICES, test="test.jsonl"), test=test, hidden=hidden)
    first, second = rehearse("one", setting)
    assert (first.verdict, second.verdict) == (Verdict.SUCCEEDED, Verdict.SUCCEEDED)
    counts = [len((outcome.folder / "submission.csv").read_text().splitlines()) - 1 for outcome in (first, second)]
    assert counts == [3, 20]
    claims = [json.loads((outcome.folder / "one/claim.json").read_text()) for outcome in (first, second)]
    assert claims[0]["claim_id"] == claims[1]["claim_id"] == exporting.REHEARSAL
    assert lock.exists()


FAILURES = [
    ("run.train()", "import os; os.kill(os.getpid(), 9)", Verdict.EXCEPTION, "the notebook's process was ended"),
    ("run.score()", "raise RuntimeError('x')", Verdict.EXCEPTION, "RuntimeError: x"),
    ("run.pack()", "import os, glob; os.remove(inputs.parent / 'working/submission.csv')", Verdict.NO_FILE, "neither"),
    (
        "run.pack()",
        "p = inputs.parent / 'working/submission.csv'; p.write_text(p.read_text().replace('test-1', 'x'))",
        Verdict.SCORING,
        "submission.csv: 1 of 3 ids are missing (test-1)",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("before", "code", "verdict", "line"), FAILURES)
def test_a_failure_is_named(lock, monkeypatch, tmp_path_factory, before, code, verdict, line):
    with_cell(monkeypatch, before, code)
    test = items(tmp_path_factory.mktemp("tests") / "test.jsonl", 3)
    (outcome,) = rehearse("one", replace(SETTING, choices=replace(CHOICES, test="test.jsonl"), test=test))
    assert outcome.verdict is verdict
    assert outcome.line.startswith(line)
    if before in ("run.score()", "run.pack()"):  # the run was claimed, so there is evidence
        assert (outcome.folder / "one/predictions.jsonl").is_file()
    assert lock.exists()


@pytest.mark.slow
def test_another_accelerator_than_was_asked_for(data_home):
    write_lock(small.promotion(**{"budget.profile": "kaggle-gpu-t4x2", "device.kind": "auto"}), "gpu")
    (outcome,) = rehearse("gpu", replace(SETTING, choices=replace(CHOICES, accelerator=None)))
    assert outcome.verdict is Verdict.EXCEPTION
    assert outcome.line.startswith("this session has cpu (1 x cpu), and the submission was exported for NvidiaTeslaT4")
    assert outcome.evidence is None and data_home.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gone", "line"),
    [
        ("podium-code-one", "podium: the dataset ann/podium-code-one is not below"),
        ("competition", "the test file test.jsonl is not below"),
    ],
)
def test_an_input_that_is_not_attached(lock, monkeypatch, tmp_path_factory, gone, line):
    import shutil

    mount = rehearsing._mount

    def without(folder, *arguments):
        mount(folder, *arguments)
        shutil.rmtree(folder / "input" / gone)

    monkeypatch.setattr(rehearsing, "_mount", without)
    test = items(tmp_path_factory.mktemp("tests") / "test.jsonl", 3)
    (outcome,) = rehearse("one", replace(SETTING, choices=replace(CHOICES, test="test.jsonl"), test=test))
    assert outcome.verdict is Verdict.EXCEPTION
    assert outcome.line.startswith(line)
    assert lock.exists()


@pytest.mark.slow
def test_the_end_of_the_time_leaves_evidence(data_home):
    write_lock(small.promotion(**{"train.max_steps": 10_000_000, "train.save_every_steps": 10_000_000}), "long")
    (outcome,) = rehearse("long", replace(SETTING, limits=Limits(time_s=30)))
    assert (outcome.verdict, outcome.line) == (Verdict.TIMEOUT, "not at its end after 30.0 s")
    manifest = json.loads((outcome.folder / "long/run_manifest.json").read_text())
    assert (manifest["state"], manifest["reason"]) == ("stopped", "SIGTERM")
    assert outcome.evidence is not None and data_home.exists()
