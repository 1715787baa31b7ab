"""The dataset that the notebook starts from: code, data, lock and the record of the export, in one archive."""

from collections.abc import Mapping
from pathlib import Path

from podium.core.files import to_json, write_bytes, write_json, write_parts
from podium.core.paths import find_evalset, find_file, find_trainset
from podium.core.run_files import LOCK
from podium.submission.kaggle import bootstrap
from podium.submission.kaggle.exported import EXPORT, Export
from podium.submission.kaggle.metadata import DATASET, dataset_metadata
from podium.submission.lock import Lock, lock_path
from podium.submission.packaging.code import Content, code_of
from podium.submission.packaging.layout import zip_parts
from podium.submission.packaging.members import chunks_of
from podium.submission.verify import without_nulls


def write_bundle(folder: Path, lock: Lock, export: Export, requirements: str) -> None:
    """Write the dataset into a folder: the archive, the bootstrap beside it, and dataset-metadata.json.

    Raises:
        UsageError: the code of the lock is not here.
    """
    folder.mkdir(parents=True)
    contents = contents_of(lock, export, requirements)
    members = sorted((f"{bootstrap.BUNDLE}/{name}", chunks_of(content)) for name, content in contents.items())
    write_parts(folder / f"{bootstrap.BUNDLE}.zip", zip_parts(members))
    write_bytes(folder / bootstrap.FILE, Path(bootstrap.__file__).read_bytes())
    write_json(folder / DATASET, dataset_metadata(export.owner, export.code))


def contents_of(lock: Lock, export: Export, requirements: str) -> Mapping[str, Content]:
    """What the archive holds, by its path there: a checkout with the data of the lock."""
    config = lock.run_config()
    trainset, evalset = find_trainset(config.data.trainset), config.eval.evalset.removesuffix(".jsonl")
    contents: dict[str, Content] = {
        **code_of(lock),
        f"trainsets/{config.data.trainset}/traces.jsonl": trainset / "traces.jsonl",
        f"trainsets/{config.data.trainset}/manifest.json": trainset / "manifest.json",
        f"evalsets/{evalset}.jsonl": find_evalset(config.eval.evalset),
        LOCK: lock_path(lock.name),
        EXPORT: to_json(without_nulls(export.model_dump(mode="json"))).encode(),
        bootstrap.REQUIREMENTS: requirements.encode(),
    }
    if config.eval.challenges:
        contents[config.eval.challenges] = find_file(config.eval.challenges)
    return contents
