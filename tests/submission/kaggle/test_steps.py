"""The steps of the notebook, and what `collect` takes of them."""

import json
import shutil
from pathlib import Path

import pytest

from podium.core.errors import PodiumError, UsageError
from podium.core.hashing import sha256_file
from podium.core.paths import submission_dir
from podium.submission.kaggle.bootstrap import Refused
from podium.submission.kaggle.collect import collect
from podium.submission.kaggle.export import export
from podium.submission.kaggle.exported import export_path
from podium.submission.kaggle.inputs import locate
from podium.submission.lock import read_lock, write_lock
from podium.submission.manifest import read_manifest
from podium.submission.verification.folder import verify_folder
from tests.submission import small
from tests.submission.kaggle.conftest import CHOICES
from tests.submission.small import flip, tree
from trainer.model.sources import TINY, find_folder

URL = "https://www.kaggle.com/code/ann/podium-one"
MODELS = Path(__file__).parents[2] / "fixtures/models"


def test_the_run_is_the_attempt_that_was_exported(session, exported, capsys):
    zip_path = session.run()
    printed = capsys.readouterr().out
    assert "no secrets" in printed and "machine: cpu (1 x cpu), every device computes" in printed
    assert "projection for this machine:" in printed and "RESULT SUMMARY" in printed
    assert zip_path.name == "podium_one_evidence.zip"

    result = collect(zip_path, "one", url=URL, version="2")
    assert (result.folder, result.manifest.claim_id) == (submission_dir("one"), exported.attempt_id)
    assert verify_folder(submission_dir("one")).problems == []
    facts = json.loads((submission_dir("one") / "collect.json").read_text())
    assert facts["given_by_user"] == {
        "notebook_url": "https://www.kaggle.com/code/ann/podium-one",
        "notebook_version": "2",
    }
    assert facts["source_sha256"] == sha256_file(zip_path)

    before = tree(submission_dir("one"))
    assert not collect(zip_path, "one").is_new
    assert tree(submission_dir("one")) == before


def test_a_second_result_is_kept_aside(session):
    first = session.run()
    kept = first.with_name("first.zip")
    shutil.copy(first, kept)
    shutil.rmtree(session.working / "submission_runs")
    second = session.run()  # the same attempt on a fresh disk
    collect(kept, "one")
    before = read_manifest(submission_dir("one") / "run_manifest.json")
    result = collect(second, "one")
    assert result.conflict and result.folder.parent == submission_dir("one") / "conflicting"
    assert (result.folder / "predictions.jsonl").is_file()
    assert read_manifest(submission_dir("one") / "run_manifest.json") == before


def test_evidence_that_does_not_belong_here_changes_nothing(session, home, tmp_path_factory):
    zip_path, elsewhere = session.run(), tmp_path_factory.mktemp("zips")
    write_lock(small.promotion(**{"train.seed": 7}), "other")
    export("other", CHOICES)
    other = json.loads(export_path("one").read_text()) | {"attempt_id": "0" * 32}
    cases = {
        "truncated": ("one", "it is damaged, or no evidence zip"),
        "flipped": ("one", "it is damaged|does not verify|was changed"),
        "not a zip": ("one", "it is damaged, or no evidence zip"),
        "of another": ("other", "has no other/run_manifest.json"),
        "missing": ("one", "does not exist; give the zip that `podium kaggle pull one` fetched"),
    }
    data = zip_path.read_bytes()
    (elsewhere / "truncated").write_bytes(data[: len(data) // 2])
    (elsewhere / "flipped").write_bytes(data)
    flip(elsewhere / "flipped", len(data) // 2)
    (elsewhere / "not a zip").write_text("hello")
    (elsewhere / "of another").write_bytes(data)
    before = tree(home)
    for file, (name, message) in cases.items():
        with pytest.raises(PodiumError, match=message) as raised:
            collect(elsewhere / file, name)
        assert "\n" not in str(raised.value)
    with pytest.raises(UsageError, match="the evidence is of lock"):
        collect(session.working / "submission_runs/one", "other")
    assert tree(home) == before
    export_path("one").write_text(json.dumps(other))
    with pytest.raises(UsageError, match="the one that was exported is 0000"):
        collect(zip_path, "one")


def test_another_machine_is_refused_before_the_claim(data_home, session, monkeypatch):
    session.run()
    monkeypatch.setattr("podium.submission.kaggle.machine.find_devices", lambda: _TWO_T4)
    run = _opened(session, monkeypatch)
    with pytest.raises(Refused, match=r"this session has gpu \(2 x Tesla T4\).*Kaggle substituted the accelerator"):
        run.check_machine()
    assert data_home.exists()


def test_steps_out_of_their_order_are_refused(session, monkeypatch):
    run = _opened(session, monkeypatch)
    with pytest.raises(Refused, match="the inputs were not located; run all cells from the first to the last"):
        run.train()
    with pytest.raises(Refused, match="the run was not begun"):
        run.predict()


def test_in_test_mode_nothing_is_claimed(session, monkeypatch, capsys):
    small.write_data(session.working)
    run = _opened(session, monkeypatch)
    run.library = small.library()
    run.locate_inputs()
    run.smoke(test_mode=True)
    for step in (run.train, run.predict, run.score, run.pack):
        step()
    printed = capsys.readouterr().out
    assert "TEST_MODE: 5 items were answered" in printed and printed.count("TEST_MODE: not run") == 4
    assert not (session.working / "submission_runs/one/claim.json").exists()


@pytest.mark.parametrize("apart", [False, True])
def test_a_mounted_model_is_found_by_its_hashes(data_home, tmp_path_factory, monkeypatch, apart):
    source, below = tmp_path_factory.mktemp("models") / "llama", tmp_path_factory.mktemp("input")
    shutil.copytree(MODELS / "llama", source)
    shutil.copy(TINY / "tokenizer.json", source)
    write_lock(small.promotion(**{"model.source": str(source), "lora.enabled": True}), "llama")
    lock = read_lock("llama")
    made = export("llama", CHOICES)
    monkeypatch.setenv("PODIUM_WORKSPACE", str(tmp_path_factory.mktemp("workspace")))
    with pytest.raises(UsageError, match=r"no folder below .* has the config.json of local:llama.*attached: nothing"):
        locate(lock, made, below)
    model, tokenizer = below / "some/folder/model", below / ("other/tokenizer" if apart else "some/folder/model")
    shutil.copytree(MODELS / "qwen3", below / "wrong")
    for path in source.iterdir():
        folder = tokenizer if path.name == "tokenizer.json" else model
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    assert str(model) in locate(lock, made, below).lines[0]
    assert find_folder("model.source", lock.run_config().model.source, None).is_dir()
    assert data_home.exists()


def _opened(session, monkeypatch):
    from podium.submission.kaggle import steps

    monkeypatch.setenv("PODIUM_KAGGLE_INPUT", str(session.inputs))
    monkeypatch.setenv("PODIUM_KAGGLE_WORKING", str(session.working))
    monkeypatch.setenv("PODIUM_HOME", str(session.working))
    return steps.opened(session.inputs / "bundle", 0.0)


class _Devices:
    platform, kind, count = "gpu", "Tesla T4", 2

    def __str__(self) -> str:
        return "gpu (2 x Tesla T4)"


_TWO_T4 = _Devices()
