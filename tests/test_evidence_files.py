"""The runs that are committed in submission_runs/ verify, and hold every key and no trace of a machine."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from podium.core.errors import UsageError
from podium.core.private_paths import private_paths_in
from podium.submission.json_schemas import schema_path
from podium.submission.lock import PACKAGES
from podium.submission.packaging.leaks import leaks_in
from podium.submission.packaging.package import package
from podium.submission.verification.folder import verify_folder
from tests.console import ROOT
from tests.submission.test_json_schemas import FILES
from tests.submission.test_run_once import WITHOUT_THREE
from trainer.data.trainsets import build_trainset


def committed() -> list[Path]:
    """The folders of which git tracks a file; every folder outside a checkout."""
    found = subprocess.run(["git", "ls-files", "submission_runs"], cwd=ROOT, capture_output=True, text=True)
    names = {line.split("/")[1] for line in found.stdout.splitlines() if line.count("/") > 1}
    if found.returncode:
        names = {path.name for path in (ROOT / "submission_runs").iterdir() if path.is_dir()}
    return [ROOT / "submission_runs" / name for name in sorted(names - {PACKAGES})]


RUNS = pytest.mark.parametrize("run_dir", committed(), ids=lambda path: path.name)


def test_there_is_a_rehearsal():
    assert "rehearsal_v1" in [run_dir.name for run_dir in committed()]


@RUNS
def test_a_committed_run_verifies(run_dir, monkeypatch):
    monkeypatch.setenv("PODIUM_HOME", str(ROOT))
    assert verify_folder(run_dir).problems == []


@RUNS
@pytest.mark.parametrize("name", FILES)
def test_a_committed_file_has_every_key_of_its_schema(run_dir, name):
    written = json.loads((run_dir / FILES[name]).read_text())
    schema = json.loads(schema_path(name).read_text())
    jsonschema.validate(written, schema)
    if name == "run_manifest":
        conditional = {"reason", "test"}  # of a run that did not complete, or that answered unlabelled items
        assert set(schema["properties"]) - conditional == {*written, *written["not_applicable"]}
    if name == "eval_summary":
        assert set(schema["properties"]) - {"challenges"} == set(written)


@RUNS
def test_a_committed_file_names_no_machine_and_no_secret(run_dir):
    for path in run_dir.iterdir():
        if path.is_file():
            assert private_paths_in(path.read_text()) == [], path.name
            assert leaks_in([path.read_bytes()], is_data=False) == [], path.name


@pytest.mark.slow
def test_the_rehearsal_verifies_from_its_zip_alone(home, tmp_path_factory):
    """In an empty folder, without Ray, Optuna and MLflow; and its first steps train to the same losses."""
    shutil.copytree(ROOT / "submission_runs/rehearsal_v1", home / "submission_runs/rehearsal_v1")
    build_trainset("dev-reasoning-v2", home / "trainsets/dev-reasoning-v2")
    try:
        made = package("rehearsal_v1").path
    except UsageError as error:
        if "the code here is not the code of its lock" not in str(error):
            raise
        pytest.skip("git does not have the commit of the rehearsal here")
    empty = tmp_path_factory.mktemp("empty")
    shutil.copy(made, empty)
    arguments = repr(["verify", made.name, "--replay", "20"])
    command = WITHOUT_THREE.replace('["submit", "done"]', arguments)
    done = subprocess.run([sys.executable, "-c", command], cwd=empty, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if not re.fullmatch(r"compiling .* took .*", line)]  # if slow
    assert (done.returncode, said) == (0, [])
    assert [path.name for path in empty.iterdir()] == [made.name]
