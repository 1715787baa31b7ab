"""What the first cell of the notebook calls: find the bundle, install what is pinned, make Podium importable.

The dataset has this file beside the archive. It uses the standard library alone, since nothing is installed yet.
"""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FILE = "podium_bootstrap.py"  # the name of this file in the dataset
BUNDLE, REQUIREMENTS, EXPORT = "bundle", "requirements-run.txt", "kaggle_export.json"
WHEELS = "podium_wheels.txt"  # a file in the folder of the wheels
DATA = ("trainsets", "evalsets")
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)


class Refused(Exception):
    """Ends the notebook with one line in place of a traceback."""

    def _render_traceback_(self) -> list[str]:  # what IPython shows
        return [f"podium: {self}"]


def inputs() -> Path:
    """Where Kaggle mounts what is attached, read-only."""
    return Path(os.environ.get("PODIUM_KAGGLE_INPUT", "/kaggle/input"))


def working() -> Path:
    """The folder whose content Kaggle keeps."""
    return Path(os.environ.get("PODIUM_KAGGLE_WORKING", "/kaggle/working"))


def scratch() -> Path:
    """A folder that is lost with the session."""
    return Path(os.environ.get("PODIUM_KAGGLE_SCRATCH", "/tmp/podium"))


def find(name: str, below: Path, depth: int = 5) -> list[Path]:
    """The files and folders `name` at most `depth` levels below a folder; a mounted set may hold many files."""
    return sorted(path for level in range(depth) for path in below.glob("*/" * level + name))


def start(dataset: Path) -> Any:
    """Install what the run needs, and return the module with the steps, with the run of this bundle opened.

    `dataset`: the folder of this file below the inputs. Raises Refused.
    """
    began_s = time.monotonic()
    bundle = _unpacked(dataset)
    export = json.loads((bundle / EXPORT).read_text(encoding="utf-8"))
    print(f"submission {export['name']}, attempt {export['attempt_id']}, exported {export['exported_at']}")
    code = _cloned(export, bundle) if export.get("clone") else bundle
    _install(bundle, export)
    os.environ["TQDM_DISABLE"] = "1"  # progress bars of libraries would fill the output
    os.environ["PODIUM_HOME"] = str(working())
    os.environ["PODIUM_WORKSPACE"] = str(scratch() / "workspace")
    os.environ["PODIUM_KAGGLE_NOTEBOOK_URL"] = f"https://www.kaggle.com/code/{export['owner']}/{export['slug']}"
    _import_from(code)
    return importlib.import_module("podium.submission.kaggle.steps").opened(bundle, began_s)


def _unpacked(dataset: Path) -> Path:
    """The folder of the bundle; Kaggle unpacks an archive, but need not."""
    if (dataset / BUNDLE / EXPORT).is_file():
        return dataset / BUNDLE
    nested = dataset / BUNDLE / BUNDLE  # unpacked into a folder of the archive's name
    if (nested / EXPORT).is_file():
        return nested
    archive = dataset / f"{BUNDLE}.zip"
    if not archive.is_file():
        raise Refused(f"{dataset} has no {BUNDLE}; attach the dataset as `podium kaggle push` uploaded it")
    with zipfile.ZipFile(archive) as file:
        file.extractall(scratch())  # written by Podium: its names are relative
    return scratch() / BUNDLE


def _cloned(export: dict[str, Any], bundle: Path) -> Path:
    """The code at the locked commit, with the data of the bundle."""
    folder = scratch() / "clone"
    calls = {
        "clone": ["clone", "--quiet", export["clone"], str(folder)],
        "checkout": ["-C", str(folder), "checkout", "--quiet", export["commit"]],
    }
    for what, arguments in calls.items():
        done = subprocess.run(["git", *arguments], capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr.strip() or "no message").splitlines()[-1]
            raise Refused(f"git {what} failed ({said}); switch the internet on, or export without --clone")
    for name in DATA:
        shutil.copytree(bundle / name, folder / name, dirs_exist_ok=True)
    print(f"code: {export['clone']} at {export['commit'][:12]}")
    return folder


def _install(bundle: Path, export: dict[str, Any]) -> None:
    """Install every package that is not here in the pinned version, into a folder of its own."""
    text = (bundle / REQUIREMENTS).read_text(encoding="utf-8")
    wanted = dict(_PIN.findall(text))
    missing = [name for name, pinned in wanted.items() if _version(name) != pinned]
    if not missing:
        print(f"packages: all {len(wanted)} are here as pinned")
        return
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if here != export["python"]:
        raise Refused(
            f"this session has Python {here}, and the packages are pinned for {export['python']}; "
            f"choose another image, or export again with --python {here}"
        )
    site = scratch() / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    command += ["--no-deps", "--target", str(site), "--requirement", str(bundle / REQUIREMENTS)]
    if export["offline"]:
        command += ["--no-index", "--find-links", str(_wheels(export))]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if "ERROR" in line]
        source = (
            "attach the dataset of the wheels" if export["offline"] else "switch the internet on, or export --offline"
        )
        raise Refused(f"pip cannot install what is pinned ({lines[0] if lines else 'no message'}); {source}")
    _import_from(site)
    print(f"packages: installed {len(wanted)} as pinned")


def _wheels(export: dict[str, Any]) -> Path:
    found = find(WHEELS, inputs())
    if not found:
        raise Refused(f"no wheels below {inputs()}; attach the dataset {export['owner']}/{export['wheels']}")
    return found[0].parent


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _import_from(folder: Path) -> None:
    """For this process and those that it starts."""
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    importlib.invalidate_caches()
