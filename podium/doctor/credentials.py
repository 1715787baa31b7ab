"""Whether tokens are there. Their values are never read further than that, and never shown."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from podium.core.errors import UsageError
from podium.core.files import read_json
from podium.doctor.finding import Finding

KAGGLE_VARIABLES = ("KAGGLE_API_TOKEN", "KAGGLE_KEY")
KAGGLE_FILES = ("access_token", "kaggle.json")


def hub_token() -> Iterator[Finding]:
    from huggingface_hub import get_token

    if os.environ.get("HF_TOKEN"):
        yield Finding.ok("hub token", "present, in HF_TOKEN")
    elif get_token():
        yield Finding.ok("hub token", "present, in the hub's own file")
    else:
        yield Finding.note("hub token", "absent: gated models cannot be downloaded", "set HF_TOKEN, or `hf auth login`")


def kaggle_token(folder: Path | None = None) -> Iterator[Finding]:
    """`folder`: where the `kaggle` command keeps its files; that of the environment if not given."""
    folder = folder or Path(os.environ.get("KAGGLE_CONFIG_DIR") or Path.home() / ".kaggle")
    if name := next((name for name in KAGGLE_VARIABLES if os.environ.get(name)), None):
        yield Finding.ok("kaggle token", f"present, in {name}")
        return
    file = next((folder / name for name in KAGGLE_FILES if (folder / name).is_file()), None)
    if file is None:
        yield Finding.note("kaggle token", "absent: nothing can be sent to Kaggle", "`kaggle auth login` makes one")
        return
    yield from _of_file(file)


def _of_file(file: Path) -> Iterator[Finding]:
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding.note("kaggle token", f"other users may read {file}", f"chmod 600 {file}")
    if file.suffix == ".json":
        try:
            found = read_json(file)
        except UsageError:
            found = None
        if not isinstance(found, dict) or not found.get("username") or not found.get("key"):
            line = f"{file} holds no username and key"
            yield Finding.broken("kaggle token", line, "`kaggle auth login` makes a new one")
            return
    yield Finding.ok("kaggle token", f"present, in {file}")
