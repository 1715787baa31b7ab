"""Paths that say whose machine a text was written on: home folders, and the folders of Podium's files."""

import re
from pathlib import Path

from podium.core.errors import PodiumError
from podium.core.paths import home, shipped, workspace

# A user's folder on Linux, macOS and Windows. The shared folders of macOS and Windows name nobody.
HOME = re.compile(
    r"(?:(?<![\w.-])/(?:home|Users)/|[A-Za-z]:\\{1,2}Users\\{1,2})(?!Shared\b|Public\b)[\w.-]+"
    r"|(?<![\w/.-])/root(?=/)"
)


def without_private_paths(text: str) -> str:
    """`text` with `~` in place of home folders, and relative paths below home, the workspace and the packages."""
    for folder in _folders():
        text = text.replace(f"{folder}/", "").replace(str(folder), ".")
    return HOME.sub("~", text)


def private_paths_in(text: str) -> list[str]:
    """The home folders that `text` names, each once."""
    return sorted({found[0] for found in HOME.finditer(text)})


def _folders() -> list[Path]:
    """The longest first, because the workspace is usually below home."""
    try:
        found = {workspace(), home(), shipped()}
    except PodiumError:  # a folder that cannot be used
        found = {shipped()}
    return sorted((folder for folder in found if len(folder.parts) > 1), key=lambda folder: -len(str(folder)))
