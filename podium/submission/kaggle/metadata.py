"""The files that the `kaggle` command reads beside what it uploads (kaggle 2.2.5: kernels_push, dataset_create_new)."""

import re
from typing import Any

from podium.core.budgets.profiles import check_kaggle_id
from podium.core.errors import UsageError
from podium.submission.kaggle.exported import SLUG_SHORTEST, Export, slug

KERNEL, DATASET = "kernel-metadata.json", "dataset-metadata.json"
NO_ACCELERATOR = "none"  # of --accelerator: a session on a CPU
# What Kaggle takes as the id of each kind of source.
_SOURCES = {
    "--dataset": (re.compile(r"[\w-]+/[\w-]+(/\d+)?"), "OWNER/DATASET"),
    "--model": (re.compile(r"[\w-]+/[\w.-]+/[\w-]+/[\w.-]+/\d+"), "OWNER/MODEL/FRAMEWORK/VARIATION/VERSION"),
    "--competition": (re.compile(r"[\w-]+"), "the name in the competition's address"),
}


def kernel_metadata(export: Export, notebook: str, datasets: tuple[str, ...]) -> dict[str, Any]:
    """The content of kernel-metadata.json. `notebook`: the file beside it; `datasets`: those of the export itself."""
    shape = (export.machine_shape or "").lower()
    values = {
        "id": export.kernel_id,
        "title": title_of(export.slug),
        "code_file": notebook,
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": shape.startswith("nvidia"),
        "enable_tpu": shape.startswith("tpu"),
        "enable_internet": export.internet,
        "machine_shape": export.machine_shape,
        "dataset_sources": [*datasets, *export.dataset_sources],
        "competition_sources": [*export.competition_sources],
        "kernel_sources": [],
        "model_sources": [*export.model_sources],
        "docker_image": export.docker_image,
    }
    return {key: value for key, value in values.items() if value is not None}


def dataset_metadata(owner: str, name: str) -> dict[str, Any]:
    """The content of dataset-metadata.json for the private dataset `name`, a slug."""
    return {"id": f"{owner}/{name}", "title": title_of(name), "licenses": [{"name": "other"}]}


def title_of(name: str) -> str:
    """A title whose slug is `name`."""
    return name.replace("-", " ")


def dataset_slug(name: str, part: str) -> str:
    """The slug of a dataset of submission `name`. Raises UsageError if Kaggle takes no such slug."""
    found = slug(f"podium {part} {name}")
    if len(found) < SLUG_SHORTEST or not found.endswith(slug(name)):
        raise UsageError(f"submission {name!r}: its name is too long for Kaggle; promote again under a shorter one")
    return found


def check_source(option: str, value: str) -> str:
    """`value`, an id of a source. Raises UsageError for one that Kaggle does not take."""
    pattern, form = _SOURCES[option]
    if not pattern.fullmatch(value):
        raise UsageError(f"{option} {value!r}, must be {form}")
    return value


def check_accelerator(value: str) -> str | None:
    """The machine shape of `--accelerator`; None for a CPU session. Raises UsageError for a retired or unknown one."""
    from podium.core.budgets.profiles import profiles

    if value == NO_ACCELERATOR:
        return None
    check_kaggle_id(value)
    known = sorted({profile.kaggle_id for profile in profiles().values() if profile.kaggle_id})
    if value not in known:
        raise UsageError(f"--accelerator {value!r}, must be {NO_ACCELERATOR} or one of {', '.join(known)}")
    return value
