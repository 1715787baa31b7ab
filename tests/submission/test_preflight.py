"""The checks before the claim, each with one line and what to do; nothing is written."""

import shutil
import subprocess
from collections import namedtuple

import jax
import pytest

from podium.core.errors import PodiumError, UsageError
from podium.core.files import write_jsonl
from podium.submission.dry_run import dry_run
from podium.submission.imports import MODULES
from podium.submission.lock import read_lock, write_lock
from podium.submission.preflight import Preflight
from tests.submission import small
from tests.submission.small import promotion, tree
from trainer.model.sources import TINY

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def checks(data_home):
    write_lock(promotion(), "one")
    lock = read_lock("one")
    assert data_home.exists()
    return Preflight(lock, lock.run_config(), small.library())


def refused(checks, home):
    """The message of the refusal; nothing may have been written."""
    before = tree(home)
    with pytest.raises(PodiumError) as caught:
        checks.run()
    assert tree(home) == before
    return str(caught.value)


def test_what_the_checks_find(checks, data_home):
    before = tree(data_home)
    found = checks.run().passed
    assert tree(data_home) == before
    assert set(found) == {
        *("imports", "folder", "model", "device", "hashes"),
        *("rules", "data", "memory", "disk", "time"),
    }
    assert found["hashes"] == f"{len(checks.lock.hashes)} inputs are as locked"
    assert found["data"] == "48 examples to train on, 12 prompts to answer"
    assert found["device"] == "cpu (1 x cpu) computes"
    assert found["time"] == "1m 30s projected from the trial, 11h 59m before the reserve"


def test_every_failed_check_is_named(checks, data_home, monkeypatch):
    monkeypatch.setattr("podium.submission.imports.MODULES", (*MODULES, "no_such_module"))
    monkeypatch.setattr(jax.numpy, "ones", _broken_device)
    message = refused(checks, data_home)
    assert message.startswith("(1) the module no_such_module cannot be imported (No module named 'no_such_module'); ")
    assert "(2) cpu (1 x cpu) is there, but does not compute (the device is gone); end other programs" in message


def _broken_device(*_):
    raise jax.errors.JaxRuntimeError("the device is gone")


def test_a_model_file_that_is_missing(data_home):
    folder = data_home / "model"
    shutil.copytree(small_model(), folder)
    write_lock(promotion(**{"model.source": str(folder), "model.tokenizer": str(TINY)}), "one")
    (folder / "config.json").unlink()
    lock = read_lock("one")
    message = refused(Preflight(lock, lock.run_config(), small.library()), data_home)
    assert message.startswith("config.json is missing (looked in ")


def small_model():
    from podium.core.paths import shipped

    return next(path for path in (shipped() / "tests/fixtures/models").iterdir() if (path / "config.json").is_file())


def test_a_full_disk(checks, data_home, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1000))
    assert "of the disk are free; free some space" in refused(checks, data_home)


def test_memory_that_others_use(checks, data_home, monkeypatch):
    monkeypatch.setattr("podium.submission.preflight.free_bytes", lambda _: 1000)
    message = refused(checks, data_home)
    assert message.startswith("a training step needs ")
    assert "and only 0.001 MB of memory are free; end other programs" in message


def test_a_folder_that_cannot_be_written(checks, data_home, monkeypatch):
    def read_only(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("podium.submission.preflight.tempfile.NamedTemporaryFile", read_only)
    assert "cannot be written (Permission denied); free some space, or make it writable" in refused(checks, data_home)


def test_changed_code_is_named_by_its_files(tmp_path, monkeypatch):
    from podium.core import provenance

    def git(*arguments):
        subprocess.run(("git", "-c", "user.name=n", "-c", "user.email=e", *arguments), cwd=tmp_path, check=True)

    (tmp_path / "podium").mkdir()
    for name in ("same", "other"):
        (tmp_path / f"podium/{name}.py").write_text("1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    monkeypatch.setattr(provenance, "shipped", lambda: tmp_path)
    commit = provenance.code_commit()
    assert provenance.changed_since(commit) == []
    (tmp_path / "podium/other.py").write_text("2\n")
    (tmp_path / "podium/new.py").write_text("3\n")
    assert provenance.changed_since(commit) == ["podium/new.py", "podium/other.py"]
    assert provenance.changed_since("0" * 40) is None


def test_changed_code_is_refused(checks, data_home, monkeypatch):
    hashes = {**checks.lock.hashes, "code": "0" * 64}
    checks.lock = checks.lock.model_copy(update={"hashes": hashes, "code_commit": "f" * 40})
    monkeypatch.setattr("podium.submission.lock.changed_since", lambda _: ["trainer/loop.py", "eval/x.py"])
    message = refused(checks, data_home)
    assert "code differs (expected 000000000000, found " in message
    assert "since commit ffffffffffff, changes are in trainer/loop.py, eval/x.py; restore" in message


def test_a_dry_run_claims_nothing(data_home):
    write_lock(promotion(**{"train.max_steps": 300, "train.warmup_steps": 20}), "one")
    before = tree(data_home)
    found = dry_run("one", library=small.library())
    assert tree(data_home) == before
    assert len(found.checks) == 10
    assert found.training_s > 0 < found.answers_s


def test_a_dry_run_of_unlabelled_items(data_home):
    write_jsonl(data_home / "test.jsonl", [{"id": f"t{n}", "prompt": f"{n}?"} for n in range(3)])
    write_lock(promotion(), "one")
    before = tree(data_home)
    found = dry_run("one", test="test.jsonl", library=small.library())
    assert found.checks["data"] == "48 examples to train on, 3 prompts to answer"
    assert tree(data_home) == before


def test_a_run_that_was_claimed_has_no_dry_run(done_home):
    with pytest.raises(UsageError, match="submission 'done' was already run"):
        dry_run("done", library=small.library())
    assert done_home.exists()
