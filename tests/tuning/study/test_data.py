"""The data of a study: read and hashed once when a sweep starts."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml

from eval.sets.evalset import load_evalset
from podium.core.errors import UsageError
from podium.core.hashing import sha256_file
from tests.tuning.workers.test_worker import write_data
from tuning.study.data import data_hashes
from tuning.sweep import sweep


@pytest.mark.usefixtures("store")
def test_a_sweep_reads_each_data_file_once_and_hashes_it_once(home, monkeypatch):
    write_data(home)
    shutil.copytree(home / "trainsets/sums", home / "trainsets/more")
    space = yaml.safe_load((home / "space.yaml").read_text())
    space["parameters"]["data.trainset"] = {"type": "categorical", "choices": ["sums", "more"]}
    (home / "space.yaml").write_text(yaml.safe_dump(space))
    opened: Counter[str] = Counter()
    path_open = Path.open

    def count(path: Path, *arguments, **options):
        opened[str(path.relative_to(home)) if path.is_relative_to(home) else "elsewhere"] += 1
        return path_open(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", count)
    study = sweep("space.yaml", backend="inline", stop=lambda: True)
    traces = [f"trainsets/{name}/traces.jsonl" for name in ("sums", "more")]
    assert {name: opened[name] for name in ("sums.jsonl", *traces)} == dict.fromkeys(("sums.jsonl", *traces), 2)
    assert study.data == {
        "evalset_sha256": sha256_file(home / "sums.jsonl"),
        "trainset_sha256 of sums": sha256_file(home / traces[0]),
        "trainset_sha256 of more": sha256_file(home / traces[1]),
    }


def test_a_trainset_that_does_not_exist_has_no_hash(home):
    write_data(home)
    with pytest.raises(UsageError, match="absent"):
        data_hashes(load_evalset("sums.jsonl"), ["sums", "absent"])
