"""A package is verified from its bytes alone."""

import io
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from benchmarks.verify import missed
from podium.core.hashing import canonical_json, sha256_bytes
from podium.submission.packaging.layout import read_data, read_members, zip_parts
from podium.submission.packaging.opened import verify_package
from tests.submission.test_run_once import WITHOUT_THREE

CHECKS = [
    *("layout", "package", "members", "inputs"),
    *("lock", "manifest", "files", "schemas", "facts", "score", "log"),
]


def contents(path):
    data = path.read_bytes()
    file = io.BytesIO(data)
    return {member.name: b"".join(read_data(file, member)) for member in read_members(file, len(data))}


def rewritten(path, target, change):
    """A package with the right hashes in its manifest, after `change(files)` by the names in its folder."""
    files = {name.partition("/")[2]: data for name, data in contents(path).items()}
    change(files)
    manifest = json.loads(files.pop("package_manifest.json"))
    manifest["files"] = {name: {"sha256": sha256_bytes(data), "size": len(data)} for name, data in files.items()}
    files["package_manifest.json"] = canonical_json(manifest)
    root = path.stem
    members = sorted((f"{root}/{name}", lambda data=data: (data,)) for name, data in files.items())
    target.write_bytes(b"".join(zip_parts(members)))
    return target


def test_a_package_verifies_in_an_empty_folder(packaged, home):
    shutil.copy(packaged, home / "renamed.zip")
    report = verify_package(home / "renamed.zip")
    assert report.problems == []
    assert [check.name for check in report.checks] == CHECKS
    assert [path.name for path in home.iterdir()] == ["renamed.zip"]


def test_without_ray_optuna_and_mlflow(packaged, home):
    command = WITHOUT_THREE.replace('["submit", "done"]', repr(["verify", str(packaged)]))
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"{packaged} verifies: {len(CHECKS)} checks"


def test_the_code_in_a_package_verifies_it(packaged, home):
    """As its README says, from the folder that it was unpacked to."""
    for name, data in contents(packaged).items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    code = home / packaged.stem / "code"
    command = (sys.executable, "-m", "podium.cli.main", "verify", str(packaged))
    alone = {**os.environ, "PYTHONPATH": str(code)}
    alone.pop("PODIUM_HOME")
    done = subprocess.run(command, capture_output=True, text=True, cwd=code, env=alone)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_expected_lock(packaged):
    lock_id = json.loads(next(data for name, data in contents(packaged).items() if name.endswith("/lock.json")))[
        "lock_id"
    ]
    assert verify_package(packaged, expect=lock_id).passed
    assert verify_package(packaged, expect=lock_id[:12]).passed
    other = verify_package(packaged, expect="0" * 12)
    assert other.problems == [f"the lock id is {lock_id}, expected 000000000000"]
    assert verify_package(packaged, expect=lock_id[:4]).problems == [
        f"the lock id is {lock_id}, expected {lock_id[:4]}; give 12 or more of its digits"
    ]


def drop(name):
    return lambda files: files.pop(name)


def replace(name, old, new):
    def change(files):
        assert old in files[name]
        files[name] = files[name].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (replace("evalsets/small_v1.jsonl", b'"core"', b'"Core"'), r"not as locked: evalset differs"),
        (replace("trainsets/small/traces.jsonl", b"a", b"A"), r"not as locked: trainset/traces.jsonl differs"),
        (replace("code/podium/core/clock.py", b"import", b"import "), r"not as locked: code differs"),
        (lambda files: files.update({"code/eval/new.py": b""}), r"not as locked: code differs"),
        (replace("code/requirements.txt", b"jax", b"Jax"), r"not as locked: requirements differs"),
        (drop("code/requirements.txt"), r"not as locked: requirements differs"),
        (drop("trainsets/small/manifest.json"), r"not as locked: trainset/manifest.json differs .*found nothing"),
        (drop("evalsets/small_v1.jsonl"), r"not as locked: evalset differs .*found nothing"),
        (drop("submission_runs/done/predictions.jsonl"), r"predictions.jsonl does not exist"),
        (replace("submission_runs/done/predictions.jsonl", b'item-1"', b'item-1 "'), r"predictions.jsonl differs"),
        (replace("submission_runs/done/run_manifest.json", b'"small"', b'"large"'), r"was changed after the run"),
        (replace("submission_runs/done/lock.json", b'"trial": 3', b'"trial": 4'), r"lock.json was changed"),
    ],
)
def test_a_change_by_someone_who_can_write_hashes(packaged, tmp_path, change, problem):
    report = verify_package(rewritten(packaged, tmp_path / "changed.zip", change))
    assert len(report.problems) == 1
    assert re.search(problem, report.problems[0])


def test_a_file_of_an_absurd_size(packaged, tmp_path, monkeypatch):
    monkeypatch.setattr("podium.submission.packaging.opened.MOST_TEXT_BYTES", 2000)
    (problem,) = verify_package(packaged).problems
    assert re.fullmatch(r"code/\S+ has [\d,]+ bytes, must have at most 2,000", problem)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_a_package(tmp_path):
    for data in (b"", b"hello", bytes(1000)):
        (tmp_path / "x.zip").write_bytes(data)
        (problem,) = verify_package(tmp_path / "x.zip").problems
        assert problem.startswith("it does not end as a zip without comment does")


def test_a_flipped_bit_is_found_wherever_it_is(packaged, tmp_path):
    assert missed(packaged, tmp_path, 40, seed=0) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_a_thousand_flipped_bits_are_found(packaged, tmp_path, part):
    """Every member and every header has one at least."""
    assert missed(packaged, tmp_path, 325, seed=part + 1) == []
