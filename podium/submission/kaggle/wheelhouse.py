"""The packages that a run needs on Kaggle: their pins, for one Python and accelerator, and their wheels."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_text, write_json, write_text
from podium.core.paths import shipped
from podium.core.redaction import one_line
from podium.submission.kaggle.bootstrap import REQUIREMENTS, WHEELS
from podium.submission.kaggle.exported import Export
from podium.submission.kaggle.metadata import DATASET, dataset_metadata

PYTHONS = ("3.11", "3.12", "3.13")
# What a submission imports; what these need follows from their metadata. No Ray, Optuna or MLflow.
ROOTS = ("jax", "flax", "optax", "orbax-checkpoint", "transformers", "tokenizers", "safetensors", "huggingface_hub")
MORE_ROOTS = ("numpy", "pydantic", "pyyaml", "jinja2", "scipy")
# Every version of glibc up to that of Kaggle's images (Ubuntu 22.04), newest first: pip takes the first that it finds.
PLATFORMS = (*(f"manylinux_2_{minor}_x86_64" for minor in range(35, 4, -1)), "manylinux2014_x86_64")
BUILDS = {"gpu": "cuda12", "tpu": "tpu"}  # of JAX, by the kind of the accelerator; CUDA 12 runs on every card of Kaggle
_BLOCK = re.compile(
    r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)[ \t]*(?:;([^\\\n]*))?\\?\n((?:[ \t]+--hash=\S+[ \t]*\\?\n?)+)", re.MULTILINE
)


def requirements(python: str, kind: str | None) -> str:
    """The pinned requirements of a run, with hashes, for a minor version of Python and a kind of accelerator.

    Raises:
        UsageError: the version is not supported, or Podium was installed without its requirements files.
    """
    if python not in PYTHONS:
        raise UsageError(f"--python {python!r}, must be one of {', '.join(PYTHONS)}")
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": "x86_64",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
        "extra": "",
    }
    needed = _closure(environment)
    blocks = [block for block in _blocks("requirements.txt", environment) if canonicalize_name(block[0]) in needed]
    if kind in BUILDS:
        blocks += _blocks(f"requirements-{BUILDS[kind]}.txt", environment)
    return "".join(
        f"{name}=={version} \\\n{hashes.rstrip().removesuffix(chr(92)).rstrip()}\n" for name, version, hashes in blocks
    )


def write_wheels(folder: Path, export: Export, pinned: str) -> int:
    """Download the wheels of `pinned` into a folder, which becomes a dataset. Returns their size in bytes.

    Raises:
        PodiumError: pip has no wheel of a package, or did not reach its registry.
    """
    assert export.wheels is not None
    folder.mkdir(parents=True)
    write_text(folder / REQUIREMENTS, pinned)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    command += ["--no-deps", "--only-binary=:all:", "--implementation=cp", f"--python-version={export.python}"]
    command += [f"--platform={platform}" for platform in PLATFORMS]
    command += ["--dest", str(folder), "--requirement", str(folder / REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = one_line(errors[-1] if errors else done.stderr, 200)
        raise PodiumError(f"pip cannot download the wheels ({said}); check the network, or export without --offline")
    write_text(folder / WHEELS, "The wheels of requirements-run.txt.\n")
    write_json(folder / DATASET, dataset_metadata(export.owner, export.wheels))
    return sum(path.stat().st_size for path in folder.glob("*.whl"))


def _blocks(file: str, environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(name, version, lines with hashes) of each requirement that applies in an environment."""
    path = shipped() / file
    if not path.is_file():
        raise UsageError(f"{path} does not exist, which has the pinned versions; export from a clone of Podium")
    found = _BLOCK.findall(read_text(path))
    return [
        (name, version, hashes)
        for name, version, marker, hashes in found
        if not marker.strip() or Marker(marker.strip()).evaluate(dict(environment))
    ]


def _closure(environment: Mapping[str, str]) -> set[str]:
    """The names of all packages that the roots need, by the metadata of what is installed here."""
    found: set[str] = set()
    left: list[str] = [canonicalize_name(name) for name in (*ROOTS, *MORE_ROOTS)]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _needed_by(name, environment)
    return found


def _needed_by(name: str, environment: Mapping[str, str]) -> Iterator[str]:
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:  # of another Python only
        return
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate(dict(environment)):
            yield canonicalize_name(requirement.name)
