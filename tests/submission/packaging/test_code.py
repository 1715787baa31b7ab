"""The code in a package is that of the lock, wherever it is found."""

import subprocess

import pytest

from podium.core.errors import UsageError
from podium.core.hashing import sha256_file
from podium.submission.lock import write_lock
from podium.submission.packaging import code
from podium.submission.packaging.code import code_of, hash_of_code
from tests.submission.small import promotion

FILES = {
    "podium/a.py": "first = 1\n",
    "trainer/tiny/config.json": "{}\n",
    "pyproject.toml": "[project]\n",
    "requirements.txt": "numpy\n",
    "tests/test_a.py": "not packaged\n",
}


@pytest.fixture
def checkout(tmp_path_factory, monkeypatch):
    """A git checkout with a few files in place of Podium's own."""
    root = tmp_path_factory.mktemp("checkout")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "-c", "user.name=ann", "-c", "user.email=ann@example.org", "commit", "-q", "-m", "first")
    monkeypatch.setattr(code, "shipped", lambda: root)
    monkeypatch.setattr(code, "code_hash", lambda: hash_of_code(code.code_here()))
    return root


@pytest.fixture
def lock(data_home, checkout):
    """A lock that was made with the checkout as it is."""
    made = write_lock(promotion(), "one")
    requirements = sha256_file(checkout / "requirements.txt")
    hashes = {**made.hashes, "code": hash_of_code(code.code_here()), "requirements": requirements}
    assert data_home.exists()
    return made.model_copy(update={"hashes": hashes, "code_commit": git(checkout, "rev-parse", "HEAD")})


def git(root, *arguments):
    return subprocess.run(("git", *arguments), cwd=root, check=True, capture_output=True, text=True).stdout.strip()


PACKAGED = {"podium/a.py", "trainer/tiny/config.json", "pyproject.toml", "requirements.txt"}


def test_the_files_that_git_tracks(checkout, lock):
    (checkout / "podium/notes.txt").write_text("untracked")
    (checkout / "podium/__pycache__").mkdir()
    (checkout / "podium/__pycache__/a.pyc").write_text("compiled")
    found = code_of(lock)
    assert set(found) == PACKAGED
    assert found["podium/a.py"] == checkout / "podium/a.py"


def test_outside_of_git_every_file_of_the_packages(checkout, lock, monkeypatch):
    monkeypatch.setattr(code, "_git", lambda *_: None)
    (checkout / "podium/py.typed").write_text("")
    assert set(code_of(lock)) == {*PACKAGED, "podium/py.typed"}


def test_code_that_has_changed_since_comes_from_its_commit(checkout, lock):
    (checkout / "podium/a.py").write_text("second = 2\n")
    found = code_of(lock)
    assert set(found) == PACKAGED
    assert found["podium/a.py"] == b"first = 1\n"


@pytest.mark.parametrize("commit", [None, "0" * 40])
def test_code_that_is_nowhere(checkout, lock, commit):
    (checkout / "podium/a.py").write_text("second = 2\n")
    with pytest.raises(UsageError, match=r"^submission 'one': the code here is not the code of its lock.*git does not"):
        code_of(lock.model_copy(update={"code_commit": commit}))
