"""Writes a project: data, base config, search space and README. The folder appears whole, or not at all."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from eval.sets.evalset import split_of_sample
from podium.core.budgets.profiles import profiles
from podium.core.config import load_config
from podium.core.errors import PodiumError, UsageError
from podium.core.files import write_text
from podium.core.paths import check_name
from podium.core.temporary import temporary_folder
from podium.starter import priors, texts
from podium.starter.data import write_data
from podium.starter.sizes import find_sizes
from trainer.plan.target import Target, find_target


@dataclass(frozen=True)
class Project:
    """What was written. `format`: how the data file was read; None for the built-in data."""

    folder: Path
    facts: texts.Facts
    format: str | None


def init(folder: Path, data: str | None = None, model: str = "tiny", target: str | None = None) -> Project:
    """Write a project to `folder`, for the model `model` (`model.source` of a config) and the file `data`.

    Raises:
        UsageError: the folder is not empty, or its name, the data, the model or the target cannot be used.
        PodiumError: a download or the disk failed. In both cases nothing is written.
    """
    folder = check_folder(folder)
    name = folder.name
    found = find_target(target) if target else None
    if (path := Path(model).expanduser()).is_dir():
        model = str(path.resolve())  # the project's commands run in another folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder) as temporary:
            try:
                project = _write(temporary, folder, name, data, model, found)
            except PodiumError as error:  # the user knows the folder by its final name
                raise type(error)(str(error).replace(str(temporary), str(folder))) from error
            temporary.replace(folder)
    except (OSError, shutil.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise PodiumError(f"cannot write {folder}: {why}; nothing was written") from error
    return project


def check_folder(folder: Path) -> Path:
    """The full path of a new project's folder. Raises UsageError if it is not empty, or its name cannot be used."""
    folder = folder.expanduser().resolve()
    check_name(folder.name, "project")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} already exists and is not an empty folder; choose another, or remove it")
    return folder


def _write(place: Path, folder: Path, name: str, data: str | None, model: str, target: Target | None) -> Project:
    written = write_data(place, name, data)
    trainset, items = written.trainset, written.evalset.samples
    splits = Counter(split_of_sample(item) for item in items)
    sizes = find_sizes(model, place / "trainsets" / trainset.name, trainset.count, items, target)
    facts = texts.Facts(
        name=name,
        model=model,
        trainset=trainset.name,
        evalset=written.evalset.name,
        n_examples=trainset.count,
        n_dev=splits["dev"],
        n_holdout=splits["holdout"],
        answer_length=int(median(len(item.expected_answer) for item in items)),
        sizes=sizes,
        prior=priors.learning_rate(sizes.n_parameters or priors.LARGE, sizes.lora),
        profile=target.name if target and target.name in profiles() else None,
        target=target.name if target else None,
    )
    spaces = place / "search_spaces"
    write_text(spaces / "base" / f"{name}.yaml", texts.base_config(facts))
    write_text(spaces / f"{name}.yaml", texts.search_space(facts))
    write_text(place / "README.md", texts.readme(facts))
    write_text(place / ".gitignore", texts.GITIGNORE)
    load_config(spaces / "base" / f"{name}.yaml")
    return Project(folder, facts, written.format)
