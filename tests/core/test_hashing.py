import pytest

from podium.core import hashing
from podium.core.errors import UsageError


def test_canonical_json_does_not_depend_on_order():
    assert hashing.canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    assert hashing.sha256_json({"b": 1, "a": 2}) == hashing.sha256_json({"a": 2, "b": 1})


def test_the_hash_of_files_depends_on_names_and_contents_but_not_on_order(tmp_path):
    a, b = tmp_path / "sub" / "a", tmp_path / "b"
    a.parent.mkdir()
    a.write_text("1")
    b.write_text("1")
    first = hashing.sha256_files(tmp_path, [a, b])
    assert hashing.sha256_files(tmp_path, [b, a]) == first
    a.write_text("2")
    second = hashing.sha256_files(tmp_path, [a, b])
    moved = a.rename(tmp_path / "sub" / "c")
    assert len({first, second, hashing.sha256_files(tmp_path, [moved, b])}) == 3


def test_an_unchanged_file_is_hashed_once(tmp_path, monkeypatch):
    path, hashed = tmp_path / "weights", []
    sha256_file = hashing.sha256_file
    monkeypatch.setattr(hashing, "sha256_file", lambda path: hashed.append(path) or sha256_file(path))
    path.write_text("1")
    assert hashing.sha256_file_cached(path) == hashing.sha256_file_cached(path) == hashing.sha256_bytes(b"1")
    assert hashed == [path]
    path.write_text("22")
    assert hashing.sha256_file_cached(path) == hashing.sha256_bytes(b"22")
    path.unlink()
    with pytest.raises(UsageError, match="No such file"):
        hashing.sha256_file_cached(path)


def test_missing_file(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        hashing.sha256_file(tmp_path / "none")
