"""The data that a study's trials train and score on."""

from collections.abc import Iterable

from eval.sets.evalset import Evalset
from podium.core.hashing import sha256_file
from podium.core.paths import find_trainset

FUNCTION = "train function"  # in place of the data: the hash of a training function of the user's own


def data_hashes(evalset: Evalset, trainsets: Iterable[str]) -> dict[str, str]:
    """The hashes that a study records of its data; each trainset's file is read once.

    Raises UsageError for a trainset that does not exist.
    """
    hashes = {f"trainset_sha256 of {name}": sha256_file(find_trainset(name) / "traces.jsonl") for name in trainsets}
    return {"evalset_sha256": evalset.sha256, **hashes}
