import hashlib
import json
import shutil
import zipfile

import pytest

from podium.core.errors import UsageError
from podium.core.states import State
from podium.submission.lock import write_lock
from podium.submission.manifest import read_manifest, write
from podium.submission.package import package
from tests.submission.small import flip, promotion, tree

FILES = (
    *("attempt.jsonl", "config.yaml", "eval_summary.json", "kaggle_output_log.txt", "lock.json", "metrics.jsonl"),
    *("predictions.jsonl", "predictions_meta.json", "provenance.json", "run_manifest.json"),
)


def refused(home, message):
    """Packaging `done` says `message` and writes nothing."""
    before = tree(home)
    with pytest.raises(UsageError, match=message):
        package("done")
    assert tree(home) == before


def test_a_package_holds_the_evidence_and_nothing_else(done_home):
    made = package("done")
    assert made.path == done_home / "submission_runs/packages/done.zip"
    assert made.files == FILES
    assert made.size == made.path.stat().st_size
    assert made.sha256 == hashlib.sha256(made.path.read_bytes()).hexdigest()
    with zipfile.ZipFile(made.path) as archive:
        assert archive.namelist() == [f"done/{file}" for file in FILES]
        for file in FILES:
            assert archive.read(f"done/{file}") == (done_home / "submission_runs/done" / file).read_bytes()


def test_the_same_evidence_gives_the_same_bytes(done_home, monkeypatch, tmp_path_factory):
    first = package("done").path.read_bytes()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(done_home / "submission_runs/done", elsewhere / "submission_runs/done", copy_function=shutil.copy)
    (elsewhere / "submission_runs/done/lock.json").chmod(0o600)
    (elsewhere / "submission_runs/done/notes.txt").write_text("not evidence")
    monkeypatch.setenv("PODIUM_HOME", str(elsewhere))
    assert package("done").path.read_bytes() == first


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
        ({"lock_id": "f" * 64}, r"run_manifest\.json belongs to another lock \(f{12}\)"),
    ],
)
def test_an_unfinished_run(done_home, changes, message):
    path = done_home / "submission_runs/done/run_manifest.json"
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


def test_a_link_is_not_followed(done_home):
    file = done_home / "submission_runs/done/metrics.jsonl"
    file.rename(done_home / "outside.jsonl")
    file.symlink_to(done_home / "outside.jsonl")
    refused(done_home, r"metrics\.jsonl is a symbolic link, must be a plain file")


def test_a_secret_of_this_environment(done_home, monkeypatch):
    study = json.loads((done_home / "submission_runs/done/lock.json").read_text())["study"]
    monkeypatch.setenv("MY_TOKEN", study)  # as if the log had printed it
    refused(done_home, r"holds the value of MY_TOKEN; a package must hold no secret")
