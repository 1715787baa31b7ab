import json
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from podium.core.errors import PodiumError, UsageError
from podium.core.sources import Source, files_of_split

SAVED = Path(__file__).parents[1] / "fixtures/datasets/saved"  # by save_to_disk of `datasets` 5.2
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_folder_saved_by_datasets():
    train, test = (list(Source(str(SAVED), split).rows()) for split in (None, "test"))
    assert [row.values.get("source") for row in train] == ["made", None]
    assert train[1].values["messages"] == [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]
    assert [row.values["messages"][0]["content"] for row in test] == ["2+1?"]
    assert list(Source(str(SAVED / "train")).rows()) == train
    with pytest.raises(UsageError, match="split 'dev' is not there; it has train, test"):
        Source(str(SAVED), "dev").files()
    with pytest.raises(UsageError, match=r"--split test: .*train holds one split; leave it out"):
        Source(str(SAVED / "train"), "test").files()


def test_datasets_is_not_needed():
    list(Source(str(SAVED)).rows())
    assert "datasets" not in sys.modules


SHARDS = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", "data/test-00000-of-00001.parquet"]
CHAT = [f"data/{name}-00000-of-00001.parquet" for name in ("train_sft", "test_sft", "train_gen")]


@pytest.mark.parametrize(
    ("names", "split", "chosen"),
    [
        (["README.md", *SHARDS], None, SHARDS[:2]),
        (SHARDS, "test", SHARDS[2:]),
        (["alpaca.json", "dataset_infos.json"], None, ["alpaca.json"]),
        (["my-train.jsonl", "my-dev.jsonl"], "dev", ["my-dev.jsonl"]),
        (["my-valid.jsonl", "my-train.jsonl"], "validation", ["my-valid.jsonl"]),
        (["validation/a.csv", "train/a.csv"], "validation", ["validation/a.csv"]),
        (CHAT, "train_sft", CHAT[:1]),
        (["latest.jsonl", "constrained.jsonl"], None, ["latest.jsonl", "constrained.jsonl"]),
    ],
)
def test_the_files_of_a_split(names, split, chosen):
    assert files_of_split(names, split, "hf:a/b") == chosen


@pytest.mark.parametrize(
    ("names", "split", "message"),
    [
        (["README.md", "state.json"], None, "hf:a/b: has no data files; Podium reads .jsonl, "),
        (SHARDS, "dev", "split 'dev' is not there; it has test, train"),
        (CHAT, None, "hf:a/b: has splits test_sft, train_gen, train_sft; choose one by --split"),
        (["a.jsonl"], "test", "split 'test' is not there; it has none that a file's name tells"),
        (
            ["main/train.parquet", "socratic/train.parquet"],
            None,
            r"holds several sets \(main/\*.parquet, socratic/\*.parquet\); name a folder or a file in it: hf:a/b/PATH",
        ),
        (
            [f"{n}/train.csv" for n in range(9)],
            None,
            r"holds several sets \(0/\*.csv, .*, 4/\*.csv and 4 more\); name a",
        ),
        (["train.csv", "train.jsonl"], None, r"holds several sets \(./\*.csv, ./\*.jsonl\)"),
    ],
)
def test_a_split_that_is_not_told_is_refused(names, split, message):
    with pytest.raises(UsageError, match=message):
        files_of_split(names, split, "hf:a/b")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub's cache on disk, with one set in it, and no network."""
    repo = tmp_path / "hub/datasets--team--sums"
    for name, prompt in (("main/train.jsonl", "1+1"), ("main/test.jsonl", "2+2"), ("other/train.jsonl", "3+3")):
        path = repo / "snapshots" / COMMIT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"prompt": prompt, "response": "x"}))
    for ref in ("main", "v1"):
        (repo / "refs").mkdir(exist_ok=True)
        (repo / "refs" / ref).write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("name", "split", "revision", "prompt"),
    [
        ("hf:team/sums/main", None, None, "1+1"),
        ("hf:team/sums/main", "test", "v1", "2+2"),
        ("hf:team/sums/other", None, COMMIT, "3+3"),
        ("hf:team/sums/main/test.jsonl", "test", None, "2+2"),
    ],
)
def test_a_set_in_the_hubs_cache(name, split, revision, prompt):
    (row,) = Source(name, split, revision).rows()
    assert row.values["prompt"] == prompt


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("name", "revision", "error", "message"),
    [
        ("hf:team/sums", None, UsageError, "holds several sets"),
        ("hf:team/sums/nope", None, UsageError, "has no data files"),
        ("hf:team/sums", "v2", PodiumError, "the hub did not serve it .*check the name, the revision and the network"),
        ("hf:team/none", None, PodiumError, "hf:team/none: the hub did not serve it"),
        ("hf:sums", None, UsageError, "must be hf:OWNER/NAME, or hf:OWNER/NAME/PATH"),
        ("hf:te am/su ms", None, UsageError, "Repo id must"),
    ],
)
def test_a_set_that_is_not_there(name, revision, error, message):
    with pytest.raises(error, match=message) as raised:
        list(Source(name, None, revision).rows())
    assert "\n" not in str(raised.value)


def test_options_that_a_file_does_not_have(tmp_path):
    with pytest.raises(UsageError, match="--revision v1: only a hub set"):
        Source("a.jsonl", None, "v1").files()
    with pytest.raises(UsageError, match=r"--split test: a.jsonl is one file"):
        Source("a.jsonl", "test").files()
    (tmp_path / "train.jsonl").write_text('{"a": 1}')
    assert Source(str(tmp_path)).files() == [tmp_path / "train.jsonl"]
