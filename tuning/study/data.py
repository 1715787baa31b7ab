"""Which data a study's trials were trained and scored on."""

from eval.sets.evalset import load_evalset
from podium.core.config import RunConfig
from podium.core.hashing import sha256_file
from podium.core.paths import find_trainset


def data_hashes(config: RunConfig) -> dict[str, str]:
    """Hashes of the config's evalset and trainset. Raises UsageError when one is missing or malformed."""
    trainset = config.data.trainset
    return {
        "evalset_sha256": load_evalset(config.eval.evalset).sha256,
        f"trainset_sha256 of {trainset}": sha256_file(find_trainset(trainset) / "traces.jsonl"),
    }
