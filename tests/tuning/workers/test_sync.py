"""Trials' files at a URL: another folder goes on from them, and nothing half-written is ever taken."""

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


def test_another_node_gets_what_was_last_sent(tmp_path, url):
    here, there = tmp_path / "a/study", tmp_path / "b/study"
    write(here, {"metrics.jsonl": "1", "checkpoints/30/w": "thirty", "checkpoints/60/w": "sixty"})
    sender, receiver = Syncer(url, here), Syncer(url, there)
    sender.upload(TRIAL)
    receiver.download(TRIAL)
    assert read(there) == read(here)
    (here / TRIAL / "checkpoints/30/w").unlink()
    write(here, {"metrics.jsonl": "2", "checkpoints/90/w": "ninety"})
    sender.upload(TRIAL)
    write(there, {"checkpoints/75/w": "of a node that was lost before it had sent it"})
    receiver.download(TRIAL)
    assert read(there) == {"metrics.jsonl": "2", "checkpoints/60/w": "sixty", "checkpoints/90/w": "ninety"}
    assert not list((tmp_path / "bucket").rglob("checkpoints/30/*"))  # retired there too


def test_what_is_half_written_or_the_drivers_is_left_out(tmp_path, url):
    here = tmp_path / "a/study"
    write(here, {"config.yaml": "c", ".config.yaml.1f.tmp": "", "events.jsonl": "driver"})
    write(here, {"checkpoints/90.orbax-checkpoint-tmp-1/w": "half"})
    Syncer(url, here).upload(TRIAL)
    Syncer(url, tmp_path / "b/study").download(TRIAL)
    assert read(tmp_path / "b/study") == {"config.yaml": "c"}


def test_what_was_sent_without_its_manifest_does_not_count(tmp_path, url):
    """As when the sender was killed in the middle."""
    here, there = tmp_path / "a/study", tmp_path / "b/study"
    write(here, {"checkpoints/30/w": "thirty"})
    sender = Syncer(url, here)
    sender.upload(TRIAL)
    write(here, {"checkpoints/60/w": "sixty"})
    sender.upload_file(f"{TRIAL}/checkpoints/60/w")
    Syncer(url, there).download(TRIAL)
    assert read(there) == {"checkpoints/30/w": "thirty"}
    Syncer(url, there).download("trials/009")  # nothing there: a new trial


def test_what_did_not_change_is_not_sent_again(tmp_path, url):
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
def test_what_cannot_be_used_is_refused(bad, line):
    with pytest.raises(UsageError, match=line):
        check_url(bad)


def test_a_sweep_keeps_its_files_there_and_a_resume_finds_them(run_sweep, url, tmp_path):
    plain = run_sweep(SHORT)
    study = run_sweep(SHORT, ask=("stop-1",), storage=url)
    assert study.trial(1).state is State.STOPPED
    bucket = tmp_path / "bucket" / study.name
    assert (bucket / "space.yaml").is_file() and (bucket / "trials/000/config.yaml").is_file()
    resumed = run_sweep(SHORT, resume=study.name)  # the study knows where
    assert {number: fate[:2] for number, fate in fates(resumed).items()} == {
        number: fate[:2] for number, fate in fates(plain).items()
    }
    assert (bucket / "trials/002/checkpoint.json").is_file()
    elsewhere = tmp_path / "node" / study.name
    worker = SyncedWorkerKind(AnalyticWorker, url)(elsewhere)
    slot = worker.attach(2, load_study(study.name).trial(2).config, None)
    assert worker._worker.steps[slot] == 90  # went on where the other folder was
