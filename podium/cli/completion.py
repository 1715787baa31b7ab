"""What a shell completes: the names of studies, submissions, spaces and profiles. Reads folders, never a study."""

from collections.abc import Callable
from pathlib import Path

from podium.core.errors import PodiumError
from podium.core.paths import home, shipped, workspace


def studies(incomplete: str) -> list[str]:
    """Names of studies that begin with `incomplete`; none if the workspace cannot be read."""
    return _names(lambda: [workspace() / "studies"], incomplete)


def submissions(incomplete: str) -> list[str]:
    return _names(lambda: [home() / "submission_runs"], incomplete)


def trainsets(incomplete: str) -> list[str]:
    return _names(lambda: [home() / "trainsets", shipped() / "trainsets"], incomplete)


def _names(folders: Callable[[], list[Path]], incomplete: str) -> list[str]:
    try:
        found = {path.name for folder in folders() if folder.is_dir() for path in folder.iterdir() if path.is_dir()}
    except (OSError, PodiumError):  # a completion has nowhere to say why; the command itself says it
        return []
    return sorted(name for name in found if name.startswith(incomplete) and name[0] not in "._")
