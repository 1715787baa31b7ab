import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from podium.core.errors import UsageError
from podium.core.files import write_json
from podium.core.paths import shipped
from podium.core.states import State
from podium.submission.lock import read_lock, write_lock
from podium.submission.manifest import read_manifest, write
from podium.submission.packaging.code import hash_of_code
from podium.submission.packaging.package import package
from tests.submission.small import flip, promotion, seal, tree

EVIDENCE = (
    *("attempt.jsonl", "config.yaml", "eval_summary.json", "kaggle_output_log.txt", "lock.json", "metrics.jsonl"),
    *("predictions.jsonl", "predictions_meta.json", "provenance.json", "run_manifest.json"),
)
DATA = ("evalsets/small_v1.jsonl", "trainsets/small/manifest.json", "trainsets/small/traces.jsonl")


def run_manifest(home):
    return home / "submission_runs/done/run_manifest.json"


def refused(home, message):
    """Packaging `done` says `message` and writes nothing."""
    before = tree(home)
    with pytest.raises(UsageError, match=message):
        package("done")
    assert tree(home) == before


def test_a_package_holds_evidence_data_and_code(done_home):
    made, lock = package("done"), read_lock("done")
    root = f"podium_done_{json.loads(run_manifest(done_home).read_text())['claimed_at'][:10]}_{lock.lock_id[:12]}"
    assert made.path == done_home / f"submission_runs/packages/{root}.zip"
    assert made.size == made.path.stat().st_size
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    with zipfile.ZipFile(made.path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{root}/{file}" for file in made.files]
        for file in EVIDENCE:
            data = archive.read(f"{root}/submission_runs/done/{file}")
            assert data == (done_home / "submission_runs/done" / file).read_bytes()
        for file in DATA:
            assert archive.read(f"{root}/{file}") == (done_home / file).read_bytes()
        manifest = json.loads(archive.read(f"{root}/package_manifest.json"))
        assert {*manifest["files"], "package_manifest.json"} == set(made.files)
        for file, facts in manifest["files"].items():
            data = archive.read(f"{root}/{file}")
            assert facts == {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        assert f"podium verify {root}.zip --expect {lock.lock_id[:12]}" in archive.read(f"{root}/README.md").decode()


def test_the_code_is_that_of_the_lock(done_home):
    made = package("done")
    code = [file.removeprefix("code/") for file in made.files if file.startswith("code/")]
    assert {"podium/core/config.py", "trainer/tiny/tokenizer.json", "requirements.txt", "pyproject.toml"} <= set(code)
    assert not [file for file in code if "__pycache__" in file or file.startswith(("tests/", "docs/"))]
    assert hash_of_code({file: shipped() / file for file in code}) == read_lock("done").hashes["code"]
    assert done_home.exists()


def test_the_packaged_list_does_not_shrink(done_home):
    """What a package holds is a promise: a file that is no longer in the list is taken out of it on purpose."""
    made = package("done")
    assert set((Path(__file__).parent / "packaged.txt").read_text().split()) <= set(made.files)
    assert done_home.exists()


def test_the_same_run_gives_the_same_bytes(done_home, monkeypatch, tmp_path_factory):
    first = package("done").path
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(done_home, elsewhere, copy_function=shutil.copy, dirs_exist_ok=True)
    shutil.rmtree(elsewhere / "submission_runs/packages")
    (elsewhere / "submission_runs/done/lock.json").chmod(0o600)
    (elsewhere / "submission_runs/done/notes.txt").write_text("not evidence")
    monkeypatch.setenv("PODIUM_HOME", str(elsewhere))
    again = package("done").path
    assert again != first
    assert again.read_bytes() == first.read_bytes()


def test_entries_say_nothing_of_when_and_by_whom(done_home):
    with zipfile.ZipFile(package("done").path) as archive:
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert (entry.external_attr >> 16, entry.create_system) == (0o100644, 3)
            assert entry.compress_type == zipfile.ZIP_STORED
    assert done_home.exists()


def test_a_lock_that_has_not_run(data_home):
    write_lock(promotion(), "done")
    refused(data_home, r"^submission 'done' has not run; `podium submit done` runs it$")


def test_a_run_that_broke_off_before_its_first_word(done_home):
    (done_home / "submission_runs/done/run_manifest.json").unlink()
    refused(done_home, r"^submission 'done' was already run: claimed ")


def test_a_name_that_nobody_promoted(home):
    refused(home, r"^submission 'done': .*lock\.json does not exist; `podium promote STUDY --as done` makes it$")
    with pytest.raises(UsageError, match=r"submission name '\.\./done': use 1 to 100 letters"):
        package("../done")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": State.RUNNING}, "submission 'done' is running, must be complete"),
        (
            {"state": State.DIVERGED, "reason": "diverged at step 7"},
            r"'done' is diverged \(diverged at step 7\), must be complete",
        ),
        (
            {"state": State.STOPPED, "reason": "Ctrl-C", "resumable": True},
            r"'done' is stopped \(Ctrl-C\), must be complete; `podium submit done --resume` continues it$",
        ),
        ({"lock_id": "f" * 64}, r"run_manifest\.json belongs to another lock \(f{12}\)"),
    ],
)
def test_an_unfinished_run(done_home, changes, message):
    path = run_manifest(done_home)
    manifest = read_manifest(path).model_copy(update=changes)
    write(path, manifest.model_copy(update={"evidence_id": manifest.content_id()}))
    refused(done_home, message)


@pytest.mark.parametrize("file", ["eval_summary.json", "predictions.jsonl", "kaggle_output_log.txt", "provenance.json"])
def test_a_file_that_was_changed_after_the_run(done_home, file):
    flip(done_home / "submission_runs/done" / file)
    refused(done_home, rf"submission 'done': {file} differs \(expected [0-9a-f]{{12}}, found [0-9a-f]{{12}}\)")


def test_a_file_that_is_gone(done_home):
    (done_home / "submission_runs/done/metrics.jsonl").unlink()
    refused(done_home, r"metrics\.jsonl does not exist")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("evalsets/small_v1.jsonl", r"'done': not scored: .* is not the evalset of the lock \(expected "),
        ("trainsets/small/traces.jsonl", r"'done': .*traces\.jsonl is not what was locked \(expected "),
    ],
)
def test_data_that_was_changed_after_the_run(done_home, file, message):
    flip(done_home / file)
    refused(done_home, message)


def test_a_score_that_does_not_follow_from_the_predictions(done_home):
    """Whoever changes the summary can change the hashes too; the score is computed again."""
    folder = done_home / "submission_runs/done"
    summary = json.loads((folder / "eval_summary.json").read_text())
    summary["metrics"]["answer_correctness"], summary["primary_score"] = 50.0, 0.5
    write_json(folder / "eval_summary.json", summary)
    seal(done_home / "submission_runs/done")
    refused(done_home, r"eval_summary\.json: metrics=.*50\.0.* does not follow from the predictions, which give ")


def test_code_that_is_not_the_locks(done_home, monkeypatch):
    monkeypatch.setattr("podium.submission.packaging.code.code_hash", lambda: "0" * 64)
    monkeypatch.setattr("podium.submission.packaging.code._of_commit", lambda _: {})
    refused(done_home, r"'done': the code here is not the code of its lock.*; package it in the checkout that ran it")


@pytest.mark.parametrize(
    ("line", "leak"),
    [
        ("login with hf_" + "a1B2" * 9, "a Hugging Face token"),
        ("-----BEGIN OPENSSH PRIVATE " + "KEY-----", "a private key"),
        ("read /ho" + "me/ann/models/gemma", "the home folder /ho" + "me/ann"),
    ],
)
def test_a_leak_in_the_log_blocks_the_package(done_home, line, leak):
    log = done_home / "submission_runs/done/kaggle_output_log.txt"
    log.write_text(f"{line}\n{log.read_text()}")
    seal(done_home / "submission_runs/done")
    refused(done_home, f"submission_runs/done/kaggle_output_log.txt holds {leak}; a package must hold no secret")


def test_a_link_is_not_followed(done_home):
    file = done_home / "submission_runs/done/metrics.jsonl"
    file.rename(done_home / "outside.jsonl")
    file.symlink_to(done_home / "outside.jsonl")
    refused(done_home, r"metrics\.jsonl is a symbolic link, must be a plain file")


def test_a_secret_of_this_environment(done_home, monkeypatch):
    study = json.loads((done_home / "submission_runs/done/lock.json").read_text())["study"]
    monkeypatch.setenv("MY_TOKEN", study)  # as if the log had printed it
    refused(done_home, r"lock\.json holds the value of MY_TOKEN")
