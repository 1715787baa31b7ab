"""The trainer's default tests pass with JAX 0.11 as well, which has no build for Python 3.11.

They run in an environment of their own, with what training needs and without Ray, Optuna and MLflow. pip installs it.
"""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.console import ROOT

PYTHONS = ("python3.13", "python3.12")
NEEDED = (
    *("flax", "optax", "orbax-checkpoint", "transformers", "tokenizers", "safetensors", "huggingface_hub"),
    *("pydantic", "pyyaml", "numpy", "pyarrow", "typer", "rich", "pytest", "pytest-xdist", "hypothesis"),
)
NAME_END = ("[", ">", "=", "<")


def newer_python() -> str:
    """A Python with a build of JAX 0.11, from the PATH or from pyenv, whose names on the PATH may run nothing."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    installed = [str(path) for name in PYTHONS for path in pyenv.glob(f"{name.removeprefix('python')}.*/bin/{name}")]
    for path in [*filter(None, map(shutil.which, PYTHONS)), *installed]:
        if subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0:
            return path
    names = " or ".join(PYTHONS)
    pytest.skip(f"JAX 0.11 has no build for Python 3.11: install {names}, for example `pyenv install 3.13`")


def requirements() -> list[str]:
    """JAX 0.11, and the rest as pyproject.toml bounds it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    bounded = [text for text in stated if _name(text) in NEEDED]
    assert {_name(text) for text in bounded} == set(NEEDED)
    return ["jax>=0.11,<0.12", "jinja2", *bounded]  # transformers needs jinja2 for chat templates


def _name(requirement: str) -> str:
    return requirement[: min((requirement.find(end) for end in NAME_END if end in requirement), default=None)]


@pytest.mark.slow
def test_the_trainers_tests_pass_with_jax_0_11(tmp_path: Path):
    subprocess.run([newer_python(), "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements()], check=True)
    version = subprocess.run([python, "-c", "import jax; print(jax.__version__)"], capture_output=True, text=True)
    assert version.stdout.startswith("0.11."), version
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", "-m", "not slow and not realdata", "tests/trainer"]
    # A cache of its own: programs of another JAX would be in the way. pytest of this process must not be inherited.
    inherited = ("PYTEST_", "JAX_COMPILATION_CACHE_DIR", "PYTHONPATH", "XLA_FLAGS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(inherited)}
    done = subprocess.run(
        [*command, "--numprocesses", "auto", "--dist", "loadfile"],
        **{"cwd": ROOT, "env": environment, "capture_output": True, "text": True},
    )
    summary = done.stdout.splitlines()[-1] if done.stdout else done.stderr
    print(f"JAX {version.stdout.strip()}: {summary}")  # shown by pytest -s
    assert done.returncode == 0, done.stdout[-6000:]
    assert " passed" in summary
