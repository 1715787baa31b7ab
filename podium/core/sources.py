"""The data files that a user names: a file, a folder, or a set on the Hugging Face hub, `hf:OWNER/NAME[/PATH]`."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_json
from podium.core.redaction import one_line
from podium.core.tables import KINDS, SUFFIXES, Row, kind_of, read_tables
from podium.core.wording import named

HUB = "hf:"
ABOUT = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json")  # no rows in them
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}.*")
_SPLITS = {"train": "train(?:ing)?", "validation": "validation|valid|val|dev", "test": "test(?:ing)?|eval(?:uation)?"}
_WORDS = {split: re.compile(rf"(?<![a-z])(?:{words})(?![a-z])") for split, words in _SPLITS.items()}


@dataclass(frozen=True)
class Source:
    """What to read. `split` and `revision` (a branch, tag or commit) are None, or for a folder or a hub set only."""

    name: str
    split: str | None = None
    revision: str | None = None

    def rows(self) -> Iterator[Row]:
        """Every row, at least one. Raises UsageError as `files` and `read_tables` do, PodiumError without a network."""
        row = None
        for row in read_tables(self.files()):
            yield row
        if row is None:
            raise UsageError(f"{self.name}: holds no examples, must have at least one")

    def files(self) -> list[Path]:
        """The files that hold the rows, downloaded if necessary.

        Raises:
            UsageError: no such file, split or data, or an option that the source does not have.
            PodiumError: a download failed.
        """
        if self.name.startswith(HUB):
            return _of_hub(self.name, self.split, self.revision)
        if self.revision:
            raise UsageError(f"--revision {self.revision}: only a hub set (hf:OWNER/NAME) has one; leave it out")
        path = Path(self.name).expanduser()
        if path.is_dir():
            return _of_folder(path, self.split)
        if self.split:
            raise UsageError(f"--split {self.split}: {path} is one file; only a folder or a hub set has splits")
        return [path]


def _of_folder(folder: Path, split: str | None) -> list[Path]:
    """The files of a folder, which the library `datasets` may have saved."""
    if (folder / "dataset_dict.json").is_file():
        splits = _named(folder / "dataset_dict.json", "splits", lambda split: split)
        chosen = split or ("train" if "train" in splits else splits[0] if len(splits) == 1 else "")
        if chosen not in splits:
            raise UsageError(f"{folder}: {_no_split(split, splits)}")
        return _of_folder(folder / chosen, None)
    if (folder / "state.json").is_file():
        names = _named(folder / "state.json", "_data_files", lambda file: file["filename"])
        state = read_json(folder / "state.json")
        if state.get("_indices_data_files"):
            raise UsageError(f"{folder}: keeps its rows' order in a file of its own; save it with a newer `datasets`")
        if split not in (None, state.get("_split")):
            raise UsageError(f"--split {split}: {folder} holds one split; leave it out")
        return [folder / name for name in names]
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [folder / name for name in files_of_split(names, split, str(folder))]


def _named(path: Path, key: str, name_of: Callable[[Any], Any]) -> list[str]:
    """The names in a list of a file that the library `datasets` wrote. Raises UsageError if there are none."""
    values = read_json(path)
    try:
        names = [name_of(entry) for entry in values[key]]
    except (TypeError, LookupError):
        names = [None]
    if not all(isinstance(name, str) and Path(name).name == name not in ("", "..") for name in names):
        raise UsageError(f"{path}: {key} must be a list of names of files or folders beside it; save the set again")
    return names


def _of_hub(name: str, split: str | None, revision: str | None) -> list[Path]:
    """Download the files of a split to the hub's own cache. HF_TOKEN holds the token, if one is needed."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    repo, inside = _parts(name)
    api = HfApi()
    try:
        if constants.HF_HUB_OFFLINE:
            folder = Path(api.snapshot_download(repo, repo_type="dataset", revision=revision))
            names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        else:
            names = sorted(api.list_repo_files(repo, repo_type="dataset", revision=revision))
        names = [file for file in names if PurePosixPath(file).is_relative_to(inside)]
        chosen = files_of_split(names, split, name)
        folder = Path(api.snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=chosen))
    except HFValidationError as error:
        raise UsageError(f"{name!r}: {one_line(error, 200)}") from error
    except (OSError, HTTPError) as error:  # the hub's own errors are OSErrors
        raise PodiumError(
            f"{name}: the hub did not serve it ({one_line(error, 200)}); check the name, the revision and the network, "
            "and set HF_TOKEN if the set is gated"
        ) from error
    return [folder / file for file in chosen]


def _parts(name: str) -> tuple[str, str]:
    """The repository, and the path in it. Raises UsageError if the name has no owner."""
    owner, _, rest = name.removeprefix(HUB).partition("/")
    repo, _, inside = rest.partition("/")
    if not owner or not repo:
        raise UsageError(f"{name!r}: must be hf:OWNER/NAME, or hf:OWNER/NAME/PATH for one folder or file of it")
    return f"{owner}/{repo}", inside.strip("/")


def files_of_split(names: Sequence[str], split: str | None, source: str) -> list[str]:
    """The data files of `split`, or without one of `train`, or all if no name tells a split; `/` separates folders.

    The split of a file is a word of its name or of its folder's, by the rules of the library `datasets`.

    Raises:
        UsageError: there are no data files, no such split, or several folders or formats to choose from.
    """
    data = [name for name in names if kind_of(Path(name)) in SUFFIXES and Path(name).name not in ABOUT]
    if not data:
        raise UsageError(f"{source}: has no data files; {KINDS}")
    splits = {name: _split_of(name) for name in data}
    known = sorted({found for found in splits.values() if found})
    wanted = split or ("train" if known else None)
    same = [canonical for canonical, words in _WORDS.items() if words.fullmatch(wanted or "")]  # dev is validation
    chosen = [name for name in data if wanted is None or splits[name] in (wanted, *same)]
    if not chosen:
        raise UsageError(f"{source}: {_no_split(split, known)}")
    groups = sorted({(str(PurePosixPath(name).parent), kind_of(Path(name))) for name in chosen})
    if len(groups) > 1:
        listed = named(f"{folder}/*{suffix}" for folder, suffix in groups)
        raise UsageError(f"{source}: holds several sets ({listed}); name a folder or a file in it: {source}/PATH")
    return chosen


def _split_of(name: str) -> str | None:
    """`train_sft` for data/train_sft-00000-of-00003.parquet, `train` for my-train.jsonl; None if no word tells it."""
    for part in reversed(PurePosixPath(name).parts):
        shard = _SHARD.fullmatch(part)
        found = _canonical(part)
        if found:
            return shard[1] if shard else found
    return None


def _canonical(text: str) -> str | None:
    return next((split for split, words in _WORDS.items() if words.search(text.lower())), None)


def _no_split(split: str | None, known: Sequence[str]) -> str:
    listed = named(known) if known else "none that a file's name tells"
    return f"split {split!r} is not there; it has {listed}" if split else f"has splits {listed}; choose one by --split"
