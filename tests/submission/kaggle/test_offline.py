"""A session without internet installs the attached wheels alone, into an environment that has nothing."""

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import replace

import pytest

from podium.submission.kaggle.collect import collect
from podium.submission.kaggle.export import export
from podium.submission.kaggle.exported import folder_of
from podium.submission.kaggle.wheelhouse import requirements
from podium.submission.rehearsal.session import _prefix
from tests.submission.kaggle.conftest import CHOICES

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
CELLS = """
import json, sys
names = {}
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] == "code":
        exec(compile(cell["source"], "cell", "exec"), names)
"""


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize(("kind", "build"), [(None, "jaxlib"), ("gpu", "jax-cuda12-plugin"), ("tpu", "libtpu")])
def test_the_pins_are_those_of_podium_for_each_python_and_accelerator(python, kind, build):
    text = requirements(python, kind)
    names = [line.partition("==")[0] for line in text.splitlines() if "==" in line]
    assert len(names) == len(set(names)) > 40
    assert {"jax", "flax", "orbax-checkpoint", build} <= set(names)
    assert not {"ray", "optuna", "mlflow", "torch"} & set(names)
    assert text.count("--hash=sha256:") >= len(names)


@pytest.mark.slow
def test_a_run_from_the_wheels_alone(locked, tmp_path_factory):
    made = export("one", replace(CHOICES, offline=True, python=HERE))
    folder = tmp_path_factory.mktemp("session")
    for part, name in (("code", made.code), ("wheels", made.wheels)):
        shutil.copytree(folder_of("one") / part, folder / "input" / name)
    (folder / "working").mkdir()
    venv.create(folder / "venv", with_pip=True)
    (folder / "cells.py").write_text(CELLS)
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    places = {f"PODIUM_KAGGLE_{name.upper()}": str(folder / name) for name in ("input", "working", "scratch")}
    command = [
        *_prefix(),
        folder / "venv/bin/python",
        folder / "cells.py",
        folder_of("one") / "notebook/podium-one.ipynb",
    ]
    done = subprocess.run(command, env=kept | places, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "as pinned" in done.stdout and "packages: installed" in done.stdout
    result = collect(folder / "working" / "podium_one_evidence.zip", "one")
    packages = result.manifest.environment.packages
    assert packages["jax"] and "ray" not in packages
    assert locked.exists()


@pytest.mark.slow
def test_a_wheel_that_is_not_attached_is_named(locked, tmp_path_factory):
    made = export("one", replace(CHOICES, offline=True, python=HERE))
    folder = tmp_path_factory.mktemp("session")
    shutil.copytree(folder_of("one") / "code", folder / "input" / made.code)
    venv.create(folder / "venv", with_pip=True)
    (folder / "cells.py").write_text(CELLS)
    places = {f"PODIUM_KAGGLE_{name.upper()}": str(folder / name) for name in ("input", "working", "scratch")}
    command = [folder / "venv/bin/python", folder / "cells.py", folder_of("one") / "notebook/podium-one.ipynb"]
    environment = {"PATH": os.environ["PATH"]} | places
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert f"no wheels below {folder / 'input'}; attach the dataset ann/podium-wheels-one" in done.stderr
    shutil.copytree(folder_of("one") / "wheels", folder / "input" / made.wheels)
    next((folder / "input" / made.wheels).glob("jaxlib-*.whl")).unlink()
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert "pip cannot install what is pinned" in done.stderr and "jaxlib" in done.stderr
    assert json.loads((locked / "submission_runs/one/claim.json").read_text())["exported_to"] == "kaggle"
