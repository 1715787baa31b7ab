"""Trials' files at a URL: another node resumes from them, and never from an incomplete upload."""

import pytest

from podium.core.errors import UsageError
from podium.core.states import State
from tests.tuning.analytic import AnalyticWorker
from tests.tuning.conftest import fates
from tuning.study.study import load_study
from tuning.workers.sync import SyncedWorkerKind, Syncer, check_url

TRIAL = "trials/003"
SHORT = {"trials": 3, "scheduler": "none", "report_every_steps": 30}


@pytest.fixture
def url(tmp_path):
    return f"file://{tmp_path}/bucket"


def write(folder, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / TRIAL / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / TRIAL / name).write_text(text)


def read(folder) -> dict[str, str]:
    top = folder / TRIAL
    return {path.relative_to(top).as_posix(): path.read_text() for path in top.rglob("*") if path.is_file()}


def test_another_node_downloads_the_newest_upload(tmp_path, url):
    here, there = tmp_path / "a/study", tmp_path / "b/study"
    write(here, {"metrics.jsonl": "1", "checkpoints/30/w": "thirty", "checkpoints/60/w": "sixty"})
    sender, receiver = Syncer(url, here), Syncer(url, there)
    sender.upload(TRIAL)
    receiver.download(TRIAL)
    assert read(there) == read(here)
    (here / TRIAL / "checkpoints/30/w").unlink()
    write(here, {"metrics.jsonl": "2", "checkpoints/90/w": "ninety"})
    sender.upload(TRIAL)
    write(there, {"checkpoints/75/w": "of a node that was lost before its upload"})
    receiver.download(TRIAL)
    assert read(there) == {"metrics.jsonl": "2", "checkpoints/60/w": "sixty", "checkpoints/90/w": "ninety"}
    assert not list((tmp_path / "bucket").rglob("checkpoints/30/*"))  # deleted there too


def test_temporary_files_and_those_of_the_driver_are_not_uploaded(tmp_path, url):
    here = tmp_path / "a/study"
    write(here, {"config.yaml": "c", ".config.yaml.1f.tmp": "", "events.jsonl": "driver"})
    write(here, {"checkpoints/90.orbax-checkpoint-tmp-1/w": "half"})
    Syncer(url, here).upload(TRIAL)
    Syncer(url, tmp_path / "b/study").download(TRIAL)
    assert read(tmp_path / "b/study") == {"config.yaml": "c"}


def test_files_that_no_manifest_lists_are_not_downloaded(tmp_path, url):
    """As when the node was killed during an upload."""
    here, there = tmp_path / "a/study", tmp_path / "b/study"
    write(here, {"checkpoints/30/w": "thirty"})
    sender = Syncer(url, here)
    sender.upload(TRIAL)
    write(here, {"checkpoints/60/w": "sixty"})
    sender.upload_file(f"{TRIAL}/checkpoints/60/w")
    Syncer(url, there).download(TRIAL)
    assert read(there) == {"checkpoints/30/w": "thirty"}
    Syncer(url, there).download("trials/009")  # a new trial: nothing to download


def test_an_unchanged_file_is_not_uploaded_again(tmp_path, url):
    here = tmp_path / "a/study"
    write(here, {"checkpoints/30/w": "thirty"})
    sender = Syncer(url, here)
    sender.upload(TRIAL)
    sent = tmp_path / "bucket/study" / TRIAL / "checkpoints/30/w"
    sent.write_text("as it was")
    sender.upload(TRIAL)
    assert sent.read_text() == "as it was"


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        ("memory://x", "--storage memory://x: each process has its own memory"),
        ("nosuch://bucket/x", "--storage nosuch://bucket/x: cannot write there .*Protocol not known"),
        ("file:///proc/podium", "--storage file:///proc/podium: cannot write there"),
    ],
)
def test_an_unusable_url_is_refused(bad, line):
    with pytest.raises(UsageError, match=line):
        check_url(bad)


def test_a_sweep_uploads_its_files_and_a_resume_uses_them(run_sweep, url, tmp_path):
    plain = run_sweep(SHORT)
    study = run_sweep(SHORT, ask=("stop-1",), storage=url)
    assert study.trial(1).state is State.STOPPED
    bucket = tmp_path / "bucket" / study.name
    assert (bucket / "space.yaml").is_file() and (bucket / "trials/000/config.yaml").is_file()
    resumed = run_sweep(SHORT, resume=study.name)  # the study has recorded the URL
    assert {number: fate[:2] for number, fate in fates(resumed).items()} == {
        number: fate[:2] for number, fate in fates(plain).items()
    }
    assert (bucket / "trials/002/checkpoint.json").is_file()
    elsewhere = tmp_path / "node" / study.name
    worker = SyncedWorkerKind(AnalyticWorker, url)(elsewhere)
    slot = worker.attach(2, load_study(study.name).trial(2).config, None)
    assert worker._worker.steps[slot] == 90  # resumed from the upload
