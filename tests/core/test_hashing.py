import pytest

from podium.core import hashing
from podium.core.errors import UsageError


def test_canonical_json_does_not_depend_on_order():
    assert hashing.canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    assert hashing.sha256_json({"b": 1, "a": 2}) == hashing.sha256_json({"a": 2, "b": 1})


def test_tree_hash_sees_names_and_contents_but_not_hidden_files(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_text("1")
    first = hashing.sha256_tree(tmp_path)
    (tmp_path / ".hidden").write_text("x")
    assert hashing.sha256_tree(tmp_path) == first
    (tmp_path / "sub" / "a").write_text("2")
    second = hashing.sha256_tree(tmp_path)
    (tmp_path / "sub" / "a").rename(tmp_path / "sub" / "b")
    assert len({first, second, hashing.sha256_tree(tmp_path)}) == 3


def test_missing_file(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        hashing.sha256_file(tmp_path / "none")
