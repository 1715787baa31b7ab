import hashlib
import shutil
import zipfile

import pytest

from podium.submission.lock import write_lock
from tests.submission.small import promotion, tree, write_data


@pytest.fixture
def done(home, podium, finished):  # noqa: ARG001, an empty home first
    """A home with the complete submission `done`."""
    for name in ("submission_runs", "evalsets", "trainsets"):
        shutil.copytree(finished / name, home / name)
    return home


def test_package_prints_what_it_made(done, podium):
    made = podium("package", "done")
    assert (made.code, made.err) == (0, "")
    (path,) = (done / "submission_runs/packages").iterdir()
    data = path.read_bytes()
    assert made.out.splitlines() == [
        f"package: {path.relative_to(done)}",
        f"sha256: {hashlib.sha256(data).hexdigest()}",
        f"files: {len(zipfile.ZipFile(path).namelist())}",
        f"size: {len(data):,} bytes",
        f"next: podium verify {path.relative_to(done)}",
    ]
    assert podium("package", "done").out == made.out


def test_an_unsubmitted_name(home, podium):
    write_data(home)
    write_lock(promotion(), "one")
    before = tree(home)
    refused = podium("package", "one")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "error: submission 'one' has not run; `podium submit one` runs it\n"
    assert tree(home) == before


def test_an_unknown_name(home, podium):
    refused = podium("package", "gone")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        f"error: submission 'gone': {home}/submission_runs/gone/lock.json does not exist; "
        "`podium promote STUDY --as gone` makes it\n"
    )
    assert tree(home) == {}
