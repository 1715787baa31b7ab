"""The user's own code that a study runs: a changed file is said at a resume, since no trial records what it ran."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from podium.core.named_code import source_sha256
from tuning.search.space import SearchSpace

if TYPE_CHECKING:
    from optuna import Study

CODE = "code"  # Optuna user attribute of a study: path of a function -> hash of its file


def code_hashes(space: SearchSpace) -> dict[str, str]:
    """The hash of the file of each function that the space names, where there is a file. Raises UsageError."""
    functions = {space.sampler.python: space.sampler.code()} if space.sampler.name == "python" else {}
    hashes = {path: source_sha256(function) for path, function in functions.items()}
    return {path: value for path, value in hashes.items() if value is not None}


def changed_code(study: Study, space: SearchSpace) -> Iterator[str]:
    """A line for each file that has changed since the study was created."""
    known = study.user_attrs.get(CODE, {})
    for path, value in code_hashes(space).items():
        if known.get(path, value) != value:
            yield f"note: the file of {path} has changed since study {study.study_name} was created"
