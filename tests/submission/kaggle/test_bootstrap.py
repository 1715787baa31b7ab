"""What runs before anything is installed: it finds the bundle and the code, and says what is missing in one line."""

import json
import shutil
import subprocess
import zipfile

import pytest

from podium.submission.kaggle import bootstrap
from podium.submission.kaggle.bootstrap import Refused


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    for name in ("input", "working", "scratch"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"PODIUM_KAGGLE_{name.upper()}", str(tmp_path / name))
    return tmp_path


def bundle(folder):
    for name in bootstrap.DATA:
        (folder / name).mkdir(parents=True)
        (folder / name / "data.jsonl").write_text(name)
    (folder / bootstrap.EXPORT).write_text(json.dumps({"name": "one"}))
    return folder


@pytest.mark.parametrize("layout", ["unpacked", "unpacked into its name", "packed"])
def test_the_bundle_is_found_as_kaggle_mounts_it(places, layout):
    dataset = places / "input/podium-code-one"
    if layout == "packed":
        dataset.mkdir()
        made = bundle(places / "made/bundle")
        with zipfile.ZipFile(dataset / "bundle.zip", "w") as archive:
            for path in made.rglob("*"):
                archive.write(path, path.relative_to(places / "made"))
    else:
        bundle(dataset / ("bundle" if layout == "unpacked" else "bundle/bundle"))
    found = bootstrap._unpacked(dataset)
    assert json.loads((found / bootstrap.EXPORT).read_text()) == {"name": "one"}
    assert (found / "trainsets/data.jsonl").is_file()


def test_a_dataset_without_a_bundle_is_named(places):
    with pytest.raises(Refused, match="has no bundle; attach the dataset as `podium kaggle push` uploaded it"):
        bootstrap._unpacked(places / "input")


def git(folder, *arguments):
    identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(places):
    """A repository whose second commit is not the one that was locked."""
    folder = places / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for text in ("locked", "later"):
        (folder / "code.py").write_text(text)
        git(folder, "add", "code.py")
        git(folder, "commit", "--quiet", "-m", text)
    return folder


def test_the_code_is_cloned_at_the_locked_commit_and_has_the_data(places, repository):
    commit = git(repository, "rev-parse", "HEAD~1").strip()
    found = bootstrap._cloned({"clone": str(repository), "commit": commit}, bundle(places / "bundle"))
    assert (found / "code.py").read_text() == "locked"
    assert (found / "trainsets/data.jsonl").read_text() == "trainsets"


@pytest.mark.parametrize("what", ["clone", "checkout"])
def test_a_clone_that_fails_is_one_line(places, repository, what):
    if what == "clone":
        shutil.rmtree(repository)
    with pytest.raises(Refused, match=f"git {what} failed") as raised:
        bootstrap._cloned({"clone": str(repository), "commit": "0" * 40}, bundle(places / "bundle"))
    assert "\n" not in str(raised.value)
    assert str(raised.value).endswith("switch the internet on, or export without --clone")


def test_another_python_is_refused_before_anything_is_installed(places):
    folder = bundle(places / "bundle")
    (folder / bootstrap.REQUIREMENTS).write_text("no-such-package==1.0 \\\n    --hash=sha256:00\n")
    with pytest.raises(Refused, match=r"this session has Python 3\.\d+, and the packages are pinned for 2.7"):
        bootstrap._install(folder, {"python": "2.7", "offline": True, "owner": "ann", "wheels": "w"})


def test_a_refusal_is_shown_without_a_traceback():
    assert Refused("what to do")._render_traceback_() == ["podium: what to do"]
