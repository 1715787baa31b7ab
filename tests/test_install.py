"""What `make setup` would do on each machine, and the files that it installs from."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from podium.core.accelerator import BUILDS

ROOT = Path(__file__).parents[1]
PINS = re.compile(r"(?m)^([A-Za-z0-9_.-]+)==(\S+)")


def make(*arguments: str, dry: bool = True, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "ACCELERATOR", "EXTRAS")
    }
    command = [
        "make",
        *(["--dry-run"] if dry else []),
        *(["--always-make"] if dry and folder == ROOT else []),
        *arguments,
    ]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("build", BUILDS)
def test_each_accelerator_has_its_own_pinned_file(build):
    planned = make("setup", f"ACCELERATOR={build}")
    assert planned.returncode == 0, planned.stderr
    (install,) = re.findall(r"install --require-hashes --no-deps (.*)", planned.stdout)
    files = ["requirements.txt", *([f"requirements-{build}.txt"] if build != "cpu" else [])]
    assert install.split() == [word for file in files for word in ("-r", file)]
    (removed,) = re.findall(r"uninstall --yes (.*)", planned.stdout)  # what an earlier setup may have left
    assert removed.split()[1::2] == [f"requirements-{other}.txt" for other in BUILDS[1:] if other != build]


def test_extras_are_installed_from_the_clone():
    assert "--editable '.[postgres,samplers]'" in make("setup", "EXTRAS=postgres,samplers").stdout


def test_what_was_chosen_once_stays(tmp_path):
    """A later `make demo` must not undo `make setup ACCELERATOR=cuda12`, nor install anything again."""
    for name in (
        "Makefile",
        "pyproject.toml",
        *(f"requirements{part}.txt" for part in ("", "-cuda12", "-cuda13", "-tpu")),
    ):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(
        ROOT / "podium" / "core", tmp_path / "podium" / "core", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / ".venv").mkdir()
    assert "--editable '.' --no-deps" in make("setup", folder=tmp_path).stdout
    (tmp_path / ".venv" / ".installed").write_text("cuda12 postgres\n")
    assert "install" not in make("demo", folder=tmp_path).stdout
    assert "install" not in make("setup", "ACCELERATOR=cuda12", folder=tmp_path).stdout
    changed = make("setup", "ACCELERATOR=cuda13", folder=tmp_path).stdout
    assert "-r requirements-cuda13.txt" in changed and "'.[postgres]'" in changed
    assert "'.[samplers]'" in make("setup", "EXTRAS=samplers", folder=tmp_path).stdout


def test_an_unknown_accelerator_is_refused_in_one_line():
    refused = make("setup", "ACCELERATOR=cuda14", dry=False)
    assert refused.returncode == 2
    assert "error: ACCELERATOR=cuda14, must be cpu, cuda12, cuda13 or tpu" in refused.stderr


def test_the_files_of_accelerators_go_with_the_pinned_jax():
    base = dict(PINS.findall((ROOT / "requirements.txt").read_text()))
    for build in BUILDS[1:]:
        text = (ROOT / f"requirements-{build}.txt").read_text()
        pins = dict(PINS.findall(text))
        assert pins and not pins.keys() & base.keys()
        assert text.count("--hash=sha256:") >= len(pins)
        assert all(version == base["jax"] for name, version in pins.items() if name.startswith("jax"))
    for path in ROOT.glob("requirements*.txt"):
        assert "://" not in path.read_text() and "--index" not in path.read_text()


def test_each_accelerator_has_an_extra():
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    assert {f"jax[{build}]" for build in BUILDS[1:]} == {extras[build][0] for build in BUILDS[1:]}
