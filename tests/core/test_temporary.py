"""What a killed process leaves under a temporary name is removed by the next writer; what is in use is not."""

import subprocess
import sys
from pathlib import Path

import pytest

from podium.core.files import create_exclusively, link_tree, write_text
from podium.core.temporary import remove_leftovers, temporary_file, temporary_folder

WRITER = """
import sys
from pathlib import Path
from podium.core import temporary

with getattr(temporary, sys.argv[1])(Path(sys.argv[2])):
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["temporary_file", "temporary_folder"])
def test_a_leftover_goes_once_its_process_is_gone(tmp_path, kind):
    path = tmp_path / "a.json"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, kind, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "open\n"
        write_text(tmp_path / "b.json", "beside one that is in use")
        (left,) = set(tmp_path.iterdir()) - {tmp_path / "b.json"}
        assert left.is_dir() == (kind == "temporary_folder")
        writer.kill()
    write_text(path, "whole")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_what_others_left_stays(tmp_path):
    names = [".a.json.1f2e3d4c.tmp", ".b.tmp", "c.tmp"]  # an editor's, say, or another host's
    for name in names:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "absent")
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_one_that_goes_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    """Another process may take it for a leftover in between."""
    from podium.core import temporary

    real, removed = temporary.fcntl.flock, []

    def flock(descriptor, how):
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        real(descriptor, how)

    monkeypatch.setattr(temporary.fcntl, "flock", flock)
    with temporary_file(tmp_path / "a") as file:
        assert Path(file.name) != removed[0] and Path(file.name).is_file()


def test_nothing_is_left_after_an_error_or_a_rename(tmp_path):
    with pytest.raises(RuntimeError), temporary_folder(tmp_path / "a") as folder:
        (folder / "part").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    link_tree(Path(__file__), tmp_path / "kept" / "x")
    assert create_exclusively(tmp_path / "claim", "mine") and not create_exclusively(tmp_path / "claim", "ours")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["claim", "kept", "kept/x"]
