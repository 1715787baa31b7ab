import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from podium.core import files
from podium.core.errors import PodiumError, UsageError


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PodiumError, match="No space left on device; nothing was changed"):
        files.write_json(path, {"a": 2})
    assert files.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_jsonl_round_trip_keeps_line_numbers_and_odd_separators(tmp_path):
    path = tmp_path / "a.jsonl"
    files.write_jsonl(path, [{"t": "one\u2028two"}, {"t": "three"}])
    assert list(files.read_jsonl(path)) == [(1, {"t": "one\u2028two"}), (2, {"t": "three"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b'{"a": 1}\n{bad\n', r"a\.jsonl:2: not JSON"), (b"\xff\xfe", "is not UTF-8 text")],
)
def test_corrupt_file_is_named(tmp_path, content, message):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        list(files.read_jsonl(path))


def test_exclusive_create_has_one_winner(tmp_path):
    path = tmp_path / "claim"
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: files.create_exclusively(path, f"{i}"), range(8)))
    assert won.count(True) == 1
    assert path.read_text() == str(won.index(True))
    assert [p.name for p in tmp_path.iterdir()] == ["claim"]
