"""Finds the compilers for hardware that is not here: libtpu for TPUs, JAX's CUDA plugin and NVIDIA's compiler for GPUs.

They are installed in a folder of their own, `plan/` in the virtual environment, because JAX would start them in every
process that finds them among its own packages.
"""

import importlib.metadata as metadata
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from podium.core.errors import UsageError

INSTALL = "`make plan-tools` installs it"
# The packages that compile for each kind of device.
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "cpu": (),
    "tpu": ("libtpu",),
    "gpu": ("jax-cuda13-plugin", "jax-cuda13-pjrt", "nvidia-cuda-nvcc", "nvidia-nvvm"),
}


def tools_folder() -> Path:
    """Where `make plan-tools` installs the compilers."""
    return Path(sys.prefix) / "plan"


def check_tools(kind: Literal["cpu", "gpu", "tpu"]) -> dict[str, str]:
    """The versions of JAX and of the packages that compile for `kind`, by package.

    Raises:
        UsageError: a package is missing, or has another version than JAX asks for.
    """
    found = {name: metadata.version(name) for name in ("jax", "jaxlib")}
    for name in PACKAGES[kind]:
        version = _version(name)
        if version is None:
            raise UsageError(f"{name} is missing, which compiles for a {kind}; {INSTALL}")
        if not version.startswith(wanted := _wanted(name, found["jax"])):
            raise UsageError(f"{name} {version}, must be {wanted} for jax {found['jax']}; {INSTALL}")
        found[name] = version
    return found


def environment(kind: Literal["cpu", "gpu", "tpu"]) -> dict[str, str]:
    """The variables of a process that compiles for `kind`. It computes on the CPU."""
    variables = {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "2", "XLA_FLAGS": ""}  # not those of this machine
    if kind == "tpu":  # libtpu looks for chips, and lets only one process load it, unless it is told otherwise
        variables |= {"TPU_SKIP_MDS_QUERY": "1", "ALLOW_MULTIPLE_LIBTPU_LOAD": "true"}
    if kind == "gpu":
        variables["XLA_FLAGS"] = f"--xla_gpu_cuda_data_dir={tools_folder() / 'nvidia' / 'cu13'}"
    if kind != "cpu":
        folders = [str(tools_folder()), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables["PYTHONPATH"] = os.pathsep.join(folders)
    return variables


def _version(name: str) -> str | None:
    folders = [str(tools_folder()), *sys.path]
    return next((each.version for each in metadata.distributions(name=name, path=folders)), None)


def _wanted(name: str, jax: str) -> str:
    """How the version of a package must begin; jax's own metadata says which libtpu it was built with."""
    if name.startswith("jax-"):
        return jax
    for line in metadata.requires("jax") or ():
        requirement = line.partition(";")[0].strip()
        if requirement.startswith(f"{name}=="):
            return requirement.removeprefix(f"{name}==").removesuffix("*")
    return ""
